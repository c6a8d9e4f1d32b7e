"use strict";
// Hints on the page: the object is drawn on an image by hand, or an image is said not to show it.

class Hints {
  // `changed` is called whenever a hint comes or goes.
  constructor(changed) {
    this.byIndex = new Map(); // place of the image -> its boxes in pixels of the original; none: it does not show the object
    this.changed = changed;
  }

  get count() {
    return [...this.byIndex.values()].reduce((sum, boxes) => sum + Math.max(boxes.length, 1), 0);
  }

  clear() {
    this.byIndex.clear();
    this.changed();
  }

  // What the service takes: `names` are those under which the images are sent.
  entries(names) {
    return [...this.byIndex].sort(([a], [b]) => a - b).flatMap(([index, boxes]) =>
      boxes.length ? boxes.map((box) => ({ image: names[index], ...box })) : [{ image: names[index] }]);
  }

  // Offers hints on a card whose image has been answered, with its size.
  offer(card, index, { width, height }) {
    const stage = card.querySelector(".stage"), svg = card.querySelector(".hints");
    const [draw, absent, remove] = ["draw", "absent", "remove"].map((name) => card.querySelector(`.hint-${name}`));
    card.querySelector(".hint-tools").hidden = false;
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    let start = null; // where the pointer went down, in pixels of the original

    const show = (drawn = null) => {
      const boxes = this.byIndex.get(index);
      absent.setAttribute("aria-pressed", String(boxes?.length === 0));
      stage.classList.toggle("said-absent", boxes?.length === 0);
      remove.hidden = !boxes;
      svg.replaceChildren(...[...(boxes ?? []), ...(drawn ? [drawn] : [])].map((box) => {
        const rect = document.createElementNS("http://www.w3.org/2000/svg", "rect");
        rect.setAttribute("x", box.x0);
        rect.setAttribute("y", box.y0);
        rect.setAttribute("width", box.x1 - box.x0);
        rect.setAttribute("height", box.y1 - box.y0);
        return rect;
      }));
    };
    const say = (boxes) => {
      if (boxes) this.byIndex.set(index, boxes); else this.byIndex.delete(index);
      show();
      this.changed();
    };
    const setDrawing = (on) => {
      draw.setAttribute("aria-pressed", String(on));
      stage.classList.toggle("drawing", on);
    };
    const place = (event) => {
      const frame = stage.getBoundingClientRect();
      const within = (share, size) => Math.round(Math.min(Math.max(share, 0), 1) * size);
      return {
        x: within((event.clientX - frame.left) / frame.width, width),
        y: within((event.clientY - frame.top) / frame.height, height),
      };
    };
    const between = (a, b) => ({ x0: Math.min(a.x, b.x), y0: Math.min(a.y, b.y), x1: Math.max(a.x, b.x), y1: Math.max(a.y, b.y) });

    draw.addEventListener("click", () => setDrawing(!stage.classList.contains("drawing")));
    absent.addEventListener("click", () => {
      setDrawing(false);
      say(this.byIndex.get(index)?.length === 0 ? null : []);
    });
    remove.addEventListener("click", () => say(null));
    stage.addEventListener("pointerdown", (event) => {
      if (!stage.classList.contains("drawing") || !event.isPrimary || event.button) return;
      event.preventDefault();
      stage.setPointerCapture(event.pointerId);
      start = place(event);
    });
    stage.addEventListener("pointermove", (event) => { if (start && event.isPrimary) show(between(start, place(event))); });
    stage.addEventListener("pointercancel", () => { start = null; show(); });
    stage.addEventListener("pointerup", (event) => {
      if (!start || !event.isPrimary) return;
      const box = between(start, place(event));
      start = null;
      // A click is no box; what is smaller than the eye can aim at is none either.
      const frame = stage.getBoundingClientRect();
      const large = (box.x1 - box.x0) * frame.width / width >= 4 && (box.y1 - box.y0) * frame.height / height >= 4;
      if (!large) { show(); return; }
      setDrawing(false);
      say([...(this.byIndex.get(index) ?? []), box]);
    });
    show();
  }
}
