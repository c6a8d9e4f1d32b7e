// Boxes: half-open x0, y0, x1, y1 in pixels of the original, x to the right, y down. Geometry, and drawing as SVG.
import { svgElement } from "./dom.js";

const CORNERS = ["x0", "y0", "x1", "y1"];

export const between = (a, b) => ({
  x0: Math.min(a.x, b.x), y0: Math.min(a.y, b.y), x1: Math.max(a.x, b.x), y1: Math.max(a.y, b.y),
});

export const area = (box) => Math.max(box.x1 - box.x0, 0) * Math.max(box.y1 - box.y0, 0);

// Intersection over union, in [0, 1].
export function iou(a, b) {
  const both = area({
    x0: Math.max(a.x0, b.x0), y0: Math.max(a.y0, b.y0), x1: Math.min(a.x1, b.x1), y1: Math.min(a.y1, b.y1),
  });
  return both / (area(a) + area(b) - both || 1);
}

// The box moved, whole, into an image.
export function moved(box, right, down, { width, height }) {
  const dx = Math.min(Math.max(right, -box.x0), width - box.x1), dy = Math.min(Math.max(down, -box.y0), height - box.y1);
  return { ...box, x0: box.x0 + dx, y0: box.y0 + dy, x1: box.x1 + dx, y1: box.y1 + dy };
}

// The box cut to an image, in whole pixels, with at least one of them; null where nothing of it is left.
export function within(box, { width, height }) {
  const cut = (value, end) => Math.min(Math.max(Math.round(value), 0), end);
  const inside = { ...box, x0: cut(box.x0, width), y0: cut(box.y0, height), x1: cut(box.x1, width), y1: cut(box.y1, height) };
  return CORNERS.every((corner) => Number.isFinite(box[corner])) && area(inside) > 0 ? inside : null;
}

function rect(box, name) {
  return svgElement("rect", { x: box.x0, y: box.y0, width: Math.max(box.x1 - box.x0, 0), height: Math.max(box.y1 - box.y0, 0), class: name });
}

// Draws the boxes of an image, best first, over the whole of `svg`. Each is a line with a dark outline, so that one of
// the two is seen on any image. `selected` is the place of a box that gets handles.
export function drawBoxes(svg, image, boxes, selected = -1) {
  svg.setAttribute("viewBox", `0 0 ${image.width} ${image.height}`);
  const pixel = image.width / (svg.clientWidth || image.width); // of the screen, in pixels of the image
  // Lines at the image's border are moved in by their own width, or half of them would be cut off.
  const inset = 3 * pixel;
  const inside = (value, end) => Math.min(Math.max(value, inset), end - inset);
  const drawn = boxes.map((box, index) => {
    const shown = {
      x0: inside(box.x0, image.width), y0: inside(box.y0, image.height),
      x1: inside(box.x1, image.width), y1: inside(box.y1, image.height),
    };
    const kind = [box.hand ? "hand" : "found", index ? "" : "first", index === selected ? "selected" : ""].join(" ");
    return [rect(shown, `outline ${kind}`), rect(shown, kind)];
  });
  const order = [...drawn.keys()].reverse().sort((a, b) => (a === selected) - (b === selected));
  const handles = boxes[selected] ? handlePoints(boxes[selected]).map(({ x, y }) =>
    svgElement("circle", { cx: x, cy: y, r: 6 * pixel, class: "handle" })) : [];
  svg.replaceChildren(...order.flatMap((index) => drawn[index]), ...handles);
}

// Corners and middles of the sides, each with the corners of the box that it moves.
export function handlePoints({ x0, y0, x1, y1 }) {
  const x = (x0 + x1) / 2, y = (y0 + y1) / 2;
  return [
    { x: x0, y: y0, moves: ["x0", "y0"] }, { x: x1, y: y0, moves: ["x1", "y0"] },
    { x: x1, y: y1, moves: ["x1", "y1"] }, { x: x0, y: y1, moves: ["x0", "y1"] },
    { x, y: y0, moves: ["y0"] }, { x: x1, y, moves: ["x1"] }, { x, y: y1, moves: ["y1"] }, { x: x0, y, moves: ["x0"] },
  ];
}
