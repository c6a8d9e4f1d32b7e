// What somebody has said of an image, and what follows from it: the boxes that count, the hints for the next run, the
// record that is downloaded.
//
// item.said is null (nothing), { absent: true } (the image does not show the object) or { boxes: [...] } (these boxes
// in place of those found). A box with `hand` was drawn, changed or confirmed, and is a hint; the others stay as found.
import { iou } from "./boxes.js";

const SAME = 0.3; // IoU from which on a drawn box takes the place of one that was found

export const isRead = (item) => Boolean(item.result && !item.result.error);

export function boxesOf(item) {
  if (item.said) return item.said.boxes ?? [];
  return item.result?.boxes ?? [];
}

export const handBoxes = (item) => (item.said?.boxes ?? []).filter((box) => box.hand);

export const isHinted = (item) => Boolean(item.said?.absent) || handBoxes(item).length > 0;

// How sure it is that the image shows the object, in [0, 1]; null where that is not known yet.
export function confidenceOf(item) {
  if (item.said?.absent) return 0;
  if (handBoxes(item).length) return 1;
  return isRead(item) ? item.result.confidence : null;
}

// Whether the image shows the object; null where nobody can tell.
export function shows(item, threshold) {
  if (item.said?.absent) return false;
  if (handBoxes(item).length) return true;
  if (!item.result) return null;
  if (item.result.error) return false;
  if (item.result.contains_common_object === null) return null;
  return boxesOf(item).length > 0 && item.result.confidence >= threshold;
}

const byHand = ({ x0, y0, x1, y1 }) => ({ x0, y0, x1, y1, score: 1, hand: true });

// A box was drawn. It takes the place of those found that it overlaps; of all where one an image is looked for.
export function addBox(item, box, single) {
  const others = boxesOf(item).filter((other) => other.hand || (!single && iou(box, other) < SAME));
  item.said = { boxes: [byHand(box), ...others] };
}

export function changeBox(item, index, box) {
  item.said = { boxes: boxesOf(item).map((other, place) => (place === index ? byHand(box) : other)) };
}

export function removeBox(item, index) {
  item.said = { boxes: boxesOf(item).filter((_, place) => place !== index) };
}

// All boxes are right as they are.
export function confirm(item) {
  item.said = { boxes: boxesOf(item).map(byHand) };
}

export function setAbsent(item, absent) {
  item.said = absent ? { absent: true } : null;
}

export function forget(item) {
  item.said = null;
}

// After a new answer: boxes by hand stay, beside what else was found; other corrections were of the answer before.
export function keepHints(item, single) {
  if (!item.said?.boxes) return;
  const hand = handBoxes(item);
  const others = single ? [] : item.result.boxes.filter((found) => hand.every((box) => iou(box, found) < SAME));
  item.said = hand.length ? { boxes: [...hand, ...others] } : null;
}

// The hints of images, as the service takes them.
export function hintsOf(items) {
  return items.flatMap((item) => {
    if (item.said?.absent) return [{ image: item.name }];
    return handBoxes(item).map(({ x0, y0, x1, y1 }) => ({ image: item.name, x0, y0, x1, y1 }));
  });
}

// What is downloaded of an image: as it was answered, with what was said of it and the threshold in force.
export function reviewed(item, threshold) {
  const { width, height, error, warning } = item.result;
  return {
    name: item.name, width, height, error, warning: warning ?? null,
    boxes: boxesOf(item).map(({ x0, y0, x1, y1, score }) => ({ x0, y0, x1, y1, score })),
    confidence: confidenceOf(item) ?? 0,
    contains_common_object: shows(item, threshold),
  };
}
