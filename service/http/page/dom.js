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
