// One image large: boxes are looked at, drawn, moved and resized, by pointer and by keyboard.
import { area, between, drawBoxes, handlePoints, moved, within } from "./boxes.js";
import { byId, fromTemplate, showParts } from "./dom.js";
import { factsOf, showFindings, showPicture } from "./cards.js";
import { addBox, boxesOf, changeBox, confirm, forget, isRead, removeBox, setAbsent } from "./review.js";

const CLICK = 4; // pixels of the screen: what moves less is no drag, and what is smaller no box
const REACH = { mouse: 8, touch: 20, pen: 12 }; // how far from a handle or a border it is still meant

export class Viewer {
  #item = null;
  #list = []; // to step through, as it was when the viewer was opened: corrections change what is shown behind it
  #selected = -1;
  #drag = null; // { start, box, index, moves: corners | "all" | null, shown }

  // `on` has changed(item), closed(item), single() whether one box an image is looked for, threshold(), and list() the
  // images to step through.
  constructor(on) {
    this.on = on;
    this.dialog = byId("viewer");
    this.stage = byId("viewer-stage");
    this.svg = this.stage.querySelector(".boxes");
    new ResizeObserver(() => this.#draw()).observe(this.stage);
    this.dialog.addEventListener("close", () => {
      if (this.dialog.open) return; // it tells late: by now the viewer may show another image
      const item = this.#item;
      this.#item = null;
      on.closed(item);
    });
    this.dialog.addEventListener("keydown", (event) => this.#key(event));
    const buttons = {
      "viewer-before": () => this.#step(-1),
      "viewer-after": () => this.#step(1),
      "viewer-close": () => this.dialog.close(),
      "viewer-add": () => this.#add(),
      "viewer-right": () => this.#change(confirm),
      "viewer-absent": () => this.#change((item) => setAbsent(item, !item.said?.absent)),
      "viewer-forget": () => this.#change(forget),
      "viewer-heat": () => {
        byId("viewer-heat").setAttribute("aria-pressed", String(!this.stage.classList.toggle("cold")));
      },
    };
    for (const [id, does] of Object.entries(buttons)) byId(id).addEventListener("click", does);
    this.stage.addEventListener("pointerdown", (event) => this.#down(event));
    this.stage.addEventListener("pointermove", (event) => this.#move(event));
    this.stage.addEventListener("pointerup", (event) => this.#up(event));
    this.stage.addEventListener("pointercancel", () => {
      this.#drag = null;
      this.#draw();
    });
  }

  get item() {
    return this.#item;
  }

  open(item) {
    this.#item = item;
    this.#selected = -1;
    if (!this.dialog.open) {
      this.#list = this.on.list();
      this.dialog.showModal();
    }
    this.refresh();
  }

  // Shows the image as it is now; with the first of its results, for one.
  refresh() {
    const item = this.#item;
    if (!item) return;
    const list = this.#list,
      place = list.indexOf(item);
    byId("viewer-name").textContent = item.name;
    byId("viewer-place").textContent = place < 0 ? "" : `${place + 1} of ${list.length}`;
    showParts(byId("viewer-facts"), factsOf(item, this.on.threshold()));
    byId("viewer-before").disabled = place <= 0;
    byId("viewer-after").disabled = place < 0 || place === list.length - 1;
    const size = isRead(item) ? item.result : null;
    if (!size) this.stage.removeAttribute("style");
    this.stage.classList.toggle("drawable", Boolean(size));
    const picture = this.stage.querySelector(".image");
    showPicture(picture, item, this.stage);
    picture.alt = item.name;
    byId("viewer-tools").hidden = !size;
    byId("viewer-absent").setAttribute("aria-pressed", String(Boolean(item.said?.absent)));
    byId("viewer-forget").hidden = !item.said;
    byId("viewer-right").disabled = !boxesOf(item).some((box) => !box.hand);
    if (this.#selected >= boxesOf(item).length) this.#selected = -1;
    this.#rows();
    this.#draw();
  }

  #draw() {
    if (!this.#item) return;
    showFindings(this.stage, this.#item);
    if (!isRead(this.#item)) return;
    const boxes = boxesOf(this.#item),
      drag = this.#drag;
    if (!drag?.shown) {
      drawBoxes(this.svg, this.#item.result, boxes, this.#selected);
      return;
    }
    const shown = { ...drag.shown, hand: true };
    const all = drag.moves ? boxes.map((box, index) => (index === drag.index ? shown : box)) : [...boxes, shown];
    drawBoxes(this.svg, this.#item.result, all, drag.moves ? drag.index : all.length - 1);
  }

  // The boxes as a table of numbers: to read, and to change by keyboard. Rows are filled anew, not made anew, so that
  // the focus stays where it is.
  #rows() {
    const boxes = isRead(this.#item) ? boxesOf(this.#item) : [];
    const body = byId("viewer-boxes");
    byId("viewer-none").hidden = boxes.length > 0;
    byId("viewer-table").hidden = !boxes.length;
    while (body.children.length > boxes.length) body.lastElementChild.remove();
    while (body.children.length < boxes.length) body.append(this.#row(body.children.length));
    for (const [index, box] of boxes.entries()) {
      const row = body.children[index];
      row.classList.toggle("selected", index === this.#selected);
      row.querySelector(".score").textContent = box.hand ? "hand" : box.score.toFixed(2);
      for (const input of row.querySelectorAll("input")) {
        input.max = input.name.startsWith("x") ? this.#item.result.width : this.#item.result.height;
        input.value = +box[input.name].toFixed(1);
      }
    }
  }

  #row(index) {
    const row = fromTemplate("box-row");
    row.addEventListener("focusin", () => this.#select(index));
    row.querySelector(".number").textContent = index + 1;
    for (const input of row.querySelectorAll("input")) {
      input.setAttribute("aria-label", `Box ${index + 1}, ${input.name}`);
      input.addEventListener("focus", () => input.select());
      input.addEventListener("change", () => this.#typed(index, input.name, input));
    }
    const remove = row.querySelector("button");
    remove.setAttribute("aria-label", `Delete box ${index + 1}`);
    remove.addEventListener("click", () => this.#change((item) => removeBox(item, index)));
    return row;
  }

  #typed(index, corner, input) {
    const box = boxesOf(this.#item)[index];
    const changed = within({ ...box, [corner]: input.value === "" ? NaN : Number(input.value) }, this.#item.result);
    if (!changed) {
      input.value = +box[corner].toFixed(1);
      return;
    } // the other way round, or empty
    this.#change((item) => changeBox(item, index, { ...box, [corner]: changed[corner] }));
  }

  #select(index) {
    if (index === this.#selected) return;
    this.#selected = index;
    for (const [place, row] of [...byId("viewer-boxes").children].entries())
      row.classList.toggle("selected", place === index);
    this.#draw();
  }

  #change(how) {
    how(this.#item);
    this.on.changed(this.#item);
    this.refresh();
  }

  #add() {
    const { width, height } = this.#item.result;
    const box = within({ x0: width / 4, y0: height / 4, x1: (3 * width) / 4, y1: (3 * height) / 4 }, this.#item.result);
    if (!box) return; // an image of a pixel or two
    this.#selected = 0;
    this.#change((item) => addBox(item, box, this.on.single()));
    byId("viewer-boxes").querySelector("input").focus();
  }

  #step(by) {
    const next = this.#list[this.#list.indexOf(this.#item) + by];
    if (next) this.open(next);
  }

  #key(event) {
    if (event.target.matches("input, select, textarea") || event.ctrlKey || event.metaKey || event.altKey) return;
    const does = {
      ArrowLeft: () => this.#step(-1),
      ArrowRight: () => this.#step(1),
      n: () => byId("viewer-absent").click(),
      r: () => byId("viewer-right").click(),
      b: () => byId("viewer-add").click(),
      h: () => byId("viewer-heat").click(),
      Delete: () => {
        if (this.#selected >= 0) this.#change((item) => removeBox(item, this.#selected));
      },
    };
    does.Backspace = does.Delete;
    const act = does[event.key];
    if (!act || (!isRead(this.#item) && !event.key.startsWith("Arrow"))) return;
    event.preventDefault();
    act();
  }

  // Where a pointer is, in pixels of the image, and how many of them one of the screen has.
  #place(event) {
    const frame = this.stage.getBoundingClientRect(),
      { width } = this.#item.result;
    const pixel = width / frame.width;
    return { x: (event.clientX - frame.left) * pixel, y: (event.clientY - frame.top) * pixel, pixel };
  }

  // What lies under a pointer: a handle or a border of a box, the inside of the selected one, or nothing to be moved.
  #hit({ x, y, pixel }, reach) {
    const boxes = boxesOf(this.#item),
      near = reach * pixel;
    const order = [...boxes.keys()].sort(
      (a, b) => (b === this.#selected) - (a === this.#selected) || area(boxes[a]) - area(boxes[b]),
    );
    for (const index of order) {
      const handle = handlePoints(boxes[index]).find((point) => Math.hypot(point.x - x, point.y - y) <= near);
      if (handle && index === this.#selected) return { index, moves: handle.moves };
      const { x0, y0, x1, y1 } = boxes[index];
      const inside = x > x0 - near && x < x1 + near && y > y0 - near && y < y1 + near;
      const deep = x > x0 + near && x < x1 - near && y > y0 + near && y < y1 - near;
      // Inside of a box that is not selected one may draw: what is meant may lie in what was found.
      if (inside && (index === this.#selected || !deep)) return { index, moves: handle?.moves ?? "all" };
    }
    return { index: -1, moves: null };
  }

  #down(event) {
    if (!isRead(this.#item) || !event.isPrimary || event.button) return;
    event.preventDefault();
    this.stage.setPointerCapture(event.pointerId);
    const start = this.#place(event),
      hit = this.#hit(start, REACH[event.pointerType] ?? 8);
    this.#drag = { ...hit, start, box: hit.index < 0 ? null : boxesOf(this.#item)[hit.index], shown: null };
  }

  #move(event) {
    const drag = this.#drag;
    if (!event.isPrimary || !isRead(this.#item)) return;
    const now = this.#place(event);
    if (!drag) {
      const { moves } = this.#hit(now, 8);
      this.stage.dataset.cursor = moves === "all" ? "move" : moves ? moves.join("") : "";
      return;
    }
    const right = now.x - drag.start.x,
      down = now.y - drag.start.y,
      size = this.#item.result;
    if (!drag.shown && Math.hypot(right, down) < CLICK * now.pixel) return;
    if (!drag.moves) drag.shown = within(between(drag.start, now), size);
    else if (drag.moves === "all") drag.shown = moved(drag.box, Math.round(right), Math.round(down), size);
    else drag.shown = resized(drag.box, drag.moves, now, size) ?? drag.shown;
    this.#draw();
  }

  #up(event) {
    const drag = this.#drag;
    if (!drag || !event.isPrimary) return;
    this.#drag = null;
    if (!drag.shown) {
      this.#select(this.#under(this.#place(event)));
      return;
    }
    const pixel = this.#place(event).pixel,
      { x0, y0, x1, y1 } = drag.shown;
    const large = x1 - x0 >= CLICK * pixel && y1 - y0 >= CLICK * pixel;
    if (!drag.moves && !large) {
      this.#draw();
      return;
    }
    this.#selected = drag.moves ? drag.index : 0;
    this.#change((item) =>
      drag.moves ? changeBox(item, drag.index, drag.shown) : addBox(item, drag.shown, this.on.single()),
    );
  }

  // The smallest box under a point, or -1.
  #under({ x, y }) {
    const boxes = boxesOf(this.#item);
    const hit = [...boxes.keys()].filter((index) => {
      const { x0, y0, x1, y1 } = boxes[index];
      return x >= x0 && x < x1 && y >= y0 && y < y1;
    });
    return hit.sort((a, b) => area(boxes[a]) - area(boxes[b]))[0] ?? -1;
  }
}

// A box whose corner or side was moved to a point; past the other side it turns over.
function resized(box, moves, { x, y }, size) {
  const changed = { ...box };
  for (const corner of moves) changed[corner] = corner.startsWith("x") ? x : y;
  return within({ ...changed, ...between({ x: changed.x0, y: changed.y0 }, { x: changed.x1, y: changed.y1 }) }, size);
}
