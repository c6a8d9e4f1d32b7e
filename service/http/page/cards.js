// The images as cards: a picture with its boxes and heat map, what is known of it, and what can be said of it.
import { drawBoxes } from "./boxes.js";
import { count, fromTemplate, percent, showParts, together } from "./dom.js";
import { boxesOf, confidenceOf, handBoxes, isRead, shows } from "./review.js";

// The picture of an image: of its file, or of the preview where this browser cannot show the file.
export function showPicture(img, item, stage) {
  img.onerror = () => {
    if (item.previewUrl && img.src !== item.previewUrl) img.src = item.previewUrl;
    else stage.classList.add("unseen");
  };
  img.onload = () => stage.classList.remove("unseen");
  if (img.dataset.item === item.id && img.dataset.preview === String(Boolean(item.previewUrl))) return; // as it was
  Object.assign(img.dataset, { item: item.id, preview: Boolean(item.previewUrl) });
  img.src = item.previewUrl ?? item.url;
}

// Lays what was found over a picture.
export function showFindings(stage, item) {
  const heat = stage.querySelector(".heat"),
    svg = stage.querySelector(".boxes");
  stage.classList.toggle("said-absent", Boolean(item.said?.absent));
  if (item.heatUrl) heat.src = item.heatUrl;
  else heat.removeAttribute("src");
  if (!isRead(item)) {
    svg.replaceChildren();
    return;
  }
  stage.style.aspectRatio = `${item.result.width} / ${item.result.height}`;
  stage.style.setProperty("--ratio", item.result.width / item.result.height);
  drawBoxes(svg, item.result, boxesOf(item));
}

// What is known of an image, in parts of a line.
export function factsOf(item, threshold) {
  if (!item.result) return ["not looked at yet"];
  const { width, height, error, warning } = item.result;
  if (error) return [error.message];
  const told = [together(width, "×", height), ...(warning ? [warning.message] : [])];
  if (item.said?.absent) return [...told, "you: not in this one"];
  const boxes = boxesOf(item),
    hand = handBoxes(item).length,
    shown = shows(item, threshold);
  const number = boxes.length ? count(boxes.length, "box", "boxes") : "no box",
    byHand = hand === 0 ? "" : hand === boxes.length ? " by hand" : `, ${hand} by hand`;
  told.push(number + byHand);
  if (hand || !boxes.length || shown === null) return told;
  const confidence = together("confidence", percent(confidenceOf(item)));
  return [...told, shown ? confidence : `${confidence}: does not show it`];
}

export class Cards {
  #byId = new Map();

  // `on` has what a card can ask for: open(item), absent(item), remove(item).
  constructor(list, on) {
    this.list = list;
    this.on = on;
    // Lines are drawn for the size that a picture has on the screen.
    this.resized = new ResizeObserver(() => {
      for (const [, card] of this.#byId) if (card.redraw) card.redraw();
    });
    this.resized.observe(list);
  }

  // Shows these images in this order.
  show(items, { threshold, waiting }) {
    const kept = new Map(items.map((item) => [item.id, this.#byId.get(item.id) ?? this.#made(item)]));
    for (const [id, card] of this.#byId) if (!kept.has(id)) card.remove();
    this.#byId = kept;
    let place = this.list.firstElementChild;
    for (const item of items) {
      // moved only where the order has changed, so that focus stays
      const card = kept.get(item.id);
      if (card === place) place = place.nextElementSibling;
      else this.list.insertBefore(card, place);
    }
    for (const item of items) this.#fill(kept.get(item.id), item, threshold, waiting);
  }

  // Puts the focus on an image's card.
  focus(item) {
    this.#byId.get(item.id)?.querySelector(".open").focus();
  }

  #made(item) {
    const card = fromTemplate("card");
    card.querySelector(".name").textContent = item.name;
    card.querySelector(".open").addEventListener("click", () => this.on.open(item));
    card.querySelector(".absent").addEventListener("click", () => this.on.absent(item));
    card.querySelector(".remove").addEventListener("click", () => this.on.remove(item));
    card.querySelector(".remove").setAttribute("aria-label", `Remove ${item.name}`);
    return card;
  }

  #fill(card, item, threshold, waiting) {
    const stage = card.querySelector(".stage"),
      shown = shows(item, threshold);
    showPicture(card.querySelector(".image"), item, stage);
    card.redraw = () => showFindings(stage, item);
    card.redraw();
    const facts = factsOf(item, threshold);
    showParts(card.querySelector(".facts"), facts);
    const label = `${item.name}, ${facts.join(" · ")}. Look closer and correct`;
    card.querySelector(".open").setAttribute("aria-label", label);
    card.classList.toggle("waiting", waiting.has(item));
    card.classList.toggle("failed", Boolean(item.result?.error));
    card.classList.toggle("lacks", shown === false && !item.result?.error);
    card.classList.toggle("hand", handBoxes(item).length > 0);
    const absent = card.querySelector(".absent");
    absent.hidden = !isRead(item);
    absent.setAttribute("aria-pressed", String(Boolean(item.said?.absent)));
  }
}
