// What is said of all images together: how many, how large, which show the object, and what may be done next.
import { byId, count, showParts } from "./dom.js";
import { isHinted, shows } from "./review.js";
import { counts } from "./sorting.js";

let isAgainSeen = true; // whether the button to run again is on the screen

// Shows it all. `object` is the name of the kept object that is looked for, or nothing; `advice` what the service says
// of the boxes.
export function showOverview(items, { limits, threshold, isRunning, object, advice }) {
  const fresh = items.filter((item) => !item.result).length,
    hinted = items.filter(isHinted).length;
  const hasResults = fresh < items.length,
    over = limits.over(items);
  document.body.classList.toggle("has-images", items.length > 0);
  byId("meter").textContent = items.length ? limits.taken(items) : "";
  byId("meter-over").textContent = over;
  const again = byId("again");
  again.disabled = !items.length || isRunning || Boolean(over);
  again.textContent = (hasResults ? "Run again" : "Find the boxes") + (hinted && !object ? withHints(hinted) : "");
  again.classList.toggle("due", hasResults && (fresh > 0 || hinted > 0));
  showBelow();
  byId("forget").hidden = !hinted;
  byId("bar").hidden = !hasResults;
  byId("advice").hidden = !hasResults || hinted > 0 || Boolean(object);
  const number = counts(items, threshold);
  showParts(byId("summary"), summary(items, threshold, number, fresh, hinted));
  byId("verdict").hidden = !advice;
  byId("verdict").textContent = advice ? `${advice.text[0].toUpperCase()}${advice.text.slice(1)}.` : "";
  for (const option of byId("choice").options) option.textContent = `${option.dataset.name} (${number[option.value]})`;
}

const withHints = (hinted) => (hinted === 1 ? " with this hint" : ` with these ${hinted} hints`);

function summary(items, threshold, number, fresh, hinted) {
  const told = [count(items.length, "image")];
  if (items.some((item) => shows(item, threshold) !== null)) {
    told.push(count(number.shows, "shows it", "show it"), count(number.lacks, "does not", "do not"));
  }
  if (number.failed) told.push(`${number.failed} not read`);
  if (fresh) told.push(`${fresh} not looked at yet`);
  if (hinted) told.push(`${hinted} corrected`);
  return told;
}

// The button to run again, once more at the bottom, where it is due and cannot be seen.
function showBelow() {
  const button = byId("again"),
    below = byId("again-below");
  below.textContent = button.textContent;
  below.hidden = isAgainSeen || button.disabled || !button.classList.contains("due");
}

new IntersectionObserver(([{ isIntersecting }]) => {
  isAgainSeen = isIntersecting;
  showBelow();
}).observe(byId("again"));
