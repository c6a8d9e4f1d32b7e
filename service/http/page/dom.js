// Small helpers for elements and for words.

export const byId = (id) => document.getElementById(id);

const SVG = "http://www.w3.org/2000/svg";

// An element of SVG with attributes.
export function svgElement(name, attributes = {}) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

// A copy of what a <template> holds.
export const fromTemplate = (id) => byId(id).content.firstElementChild.cloneNode(true);

const MIB = 2 ** 20;

// Words that stay on one line, such as a number and its unit.
export const together = (...words) => words.join("\u00a0");

export const inMib = (bytes) =>
  bytes < MIB ? together(Math.ceil(bytes / 1024), "KiB") : together(+(bytes / MIB).toFixed(1), "MiB");

// What is told in a line, part by part; none is broken in two where it fits a line. Unchanged it is left alone, or a
// screen reader would read it again.
export function showParts(element, parts) {
  const words = parts.join(" · ");
  if (element.textContent === words) return;
  const spans = parts.map((part, index) => {
    const span = document.createElement("span");
    span.className = "part";
    span.textContent = index < parts.length - 1 ? `${part} ·` : part;
    return span;
  });
  element.replaceChildren(...spans.flatMap((span, index) => (index ? [" ", span] : [span])));
}

export const count = (number, noun, many = `${noun}s`) => `${number} ${number === 1 ? noun : many}`;

export const percent = (share) => together(Math.round(100 * share), "%");

// A failure that is told in two parts: what happened, and what to do.
export class Failure extends Error {
  constructor(title, detail = "") {
    super(title);
    this.detail = detail;
  }
}

// Gives a file to the user, as a download.
export function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
