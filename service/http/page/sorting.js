// In which order images are shown, and which of them.
import { confidenceOf, isHinted, shows } from "./review.js";

const surest = (item) => confidenceOf(item) ?? -1; // what cannot be read is the farthest out

const byName = (a, b) => a.name.localeCompare(b.name, "en", { numeric: true });

const ORDERS = {
  given: () => 0,
  outliers: (a, b) => surest(a) - surest(b),
  surest: (a, b) => surest(b) - surest(a),
  name: byName,
};

const CHOICES = {
  all: () => true,
  shows: (item, threshold) => shows(item, threshold) === true,
  lacks: (item, threshold) => shows(item, threshold) === false && !item.result?.error,
  hinted: isHinted,
  failed: (item) => Boolean(item.result?.error),
};

// The images to be shown, in their order; the sort is stable, so that equals stay as they were given.
export function arranged(items, { order, choice, threshold }) {
  return items.filter((item) => CHOICES[choice](item, threshold)).sort(ORDERS[order]);
}

// How many images each choice has.
export function counts(items, threshold) {
  return Object.fromEntries(Object.entries(CHOICES).map(
    ([name, chooses]) => [name, items.filter((item) => chooses(item, threshold)).length]));
}
