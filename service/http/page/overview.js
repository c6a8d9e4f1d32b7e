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
  byId("teach-label").hidden = !hinted || Boolean(object);
  const hints = object || !byId("teach").checked ? 0 : hinted;
  again.textContent = (hasResults ? "Run again" : "Find the boxes") + (hints ? withHints(hints) : "");
  again.classList.toggle("due", hasResults && (fresh > 0 || hints > 0));
  showBelow();
  byId("forget").hidden = !hinted;
  byId("bar").hidden = !hasResults;
  byId("advice").hidden = !hasResults || Boolean(object);
  byId("advice").textContent = hinted
    ? "What you corrected is in the download as it is. Run again only where the others should follow it: they change."
    : "Something else was meant? Open an image, draw a box around it, and run again: the others follow.";
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
