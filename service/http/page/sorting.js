// In which order images are shown, and which of them.
import { isHinted, isRead, shows } from "./review.js";

// As it was answered: what is corrected keeps its place until the next run. What cannot be read is the farthest out.
const surest = (item) => (isRead(item) ? item.result.confidence : -1);

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
  return Object.fromEntries(
    Object.entries(CHOICES).map(([name, chooses]) => [name, items.filter((item) => chooses(item, threshold)).length]),
  );
}
