// The page of the service: images go to POST /colocalize, what comes back is looked at, corrected and taken away.
import { Cards } from "./cards.js";
import { Collection } from "./collection.js";
import { Failure, byId, count, inMib, percent } from "./dom.js";
import { download } from "./downloads.js";
import { chosen, dropped } from "./files.js";
import { Kept } from "./kept.js";
import { Progress } from "./progress.js";
import { hintsOf, isHinted, setAbsent, shows } from "./review.js";
import { Service } from "./service.js";
import { arranged, counts } from "./sorting.js";
import { Storage } from "./storage.js";
import { Viewer } from "./viewer.js";

const MIB = 2 ** 20, MOST_HINTS = 64, PART_BYTES = 1024; // of a form, around each image
const SETTINGS = ["mode", "max-boxes", "opacity", "order", "choice", "threshold", "label"];

let limits = { max_images: 64, max_bytes: 32 * MIB, max_request_bytes: 128 * MIB };
let model = null;         // of the last answer, for the formats that name it
let isRestored = false;   // before, nothing is saved over what was kept
let waiting = new Set();  // images of the request under way

const storage = new Storage();
const images = new Collection(storage, () => tell("Not everything is kept", "This browser has no room: a reload will lose the newest."));
const service = new Service(() => byId("key").value.trim(), () => { byId("key-label").hidden = false; });
const progress = new Progress();
const cards = new Cards(byId("results"), { open: (item) => viewer.open(item), absent: toggleAbsent, remove: removeImage });
const viewer = new Viewer({
  changed: (item) => { images.save(item); render(); },
  closed: (item) => { if (item) cards.focus(item); },
  single: () => byId("max-boxes").value === "1",
  threshold, list: visible,
});
const kept = new Kept(service, { tell, failed });

function threshold() { return Number(byId("threshold").value) / 100; }

function visible() {
  return arranged(images.items, { order: byId("order").value, choice: byId("choice").value, threshold: threshold() });
}

function tell(title, detail = "") {
  byId("problem").hidden = !title;
  byId("problem-words").textContent = title ? `${title}. ${detail}`.trim() : "";
}

const say = (words) => { byId("status").textContent = words; };

// What an error means for who looks at the page; that a request was cancelled is no error.
function failed(error) {
  if (error.name === "AbortError") { say("Cancelled."); return; }
  if (!(error instanceof Failure)) console.error(error);
  tell(error.message, error.detail ?? "");
}

async function loadModel() {
  const told = await service.model();
  if (!told) return;
  await kept.load(told.keeps_objects);
  limits = told.limits;
  byId("limits").textContent = "JPEG, PNG, WebP, GIF, BMP or TIFF, "
    + `up to ${limits.max_images} at a time, ${inMib(limits.max_bytes)} each and ${inMib(limits.max_request_bytes)} together`;
  byId("max-boxes").max = limits.max_boxes;
  const warning = told.provider_warning ? ` (${told.provider_warning})` : "";
  byId("model-name").textContent = `${told.name} on ${told.provider.replace("ExecutionProvider", "")}${warning}`;
  render();
}

// Why the images cannot be sent together, or nothing.
function overLimit(items) {
  const bytes = items.reduce((sum, item) => sum + item.file.size + PART_BYTES, 0);
  const large = items.filter((item) => item.file.size > limits.max_bytes);
  if (large.length) return `${large[0].name} has ${inMib(large[0].file.size)}; at most ${inMib(limits.max_bytes)} are allowed. Remove it.`;
  if (items.length > limits.max_images) return `${items.length} images are ${items.length - limits.max_images} more than the ${limits.max_images} allowed at a time. Remove some.`;
  if (bytes > limits.max_request_bytes) return `All together have ${inMib(bytes)}; at most ${inMib(limits.max_request_bytes)} are allowed at a time. Remove some.`;
  return "";
}

function render() {
  const { items } = images, hinted = items.filter(isHinted).length;
  document.body.classList.toggle("has-images", items.length > 0);
  cards.show(visible(), { threshold: threshold(), waiting });
  const fresh = items.filter((item) => !item.result).length, over = overLimit(items);
  byId("meter").textContent = items.length ? `${items.length} of ${limits.max_images} images, ${inMib(images.bytes)} of ${inMib(limits.max_request_bytes)}.` : "";
  byId("meter-over").textContent = over;
  byId("again").disabled = !items.length || progress.isRunning || Boolean(over);
  const name = fresh === items.length ? "Find the boxes" : "Run again";
  byId("again").textContent = hinted && !kept.selected ? `${name} with ${hinted === 1 ? "this hint" : `these ${hinted} hints`}` : name;
  byId("again").classList.toggle("due", items.length > fresh && (fresh > 0 || hinted > 0));
  byId("forget").hidden = !hinted;
  const anyResult = fresh < items.length, number = counts(items, threshold());
  byId("bar").hidden = !anyResult;
  byId("advice").hidden = !anyResult || hinted > 0 || Boolean(kept.selected);
  const told = [count(items.length, "image")];
  if (items.some((item) => shows(item, threshold()) !== null)) told.push(`${number.shows} show it`, `${number.lacks} do not`);
  if (number.failed) told.push(`${number.failed} not read`);
  if (fresh) told.push(`${fresh} not looked at yet`);
  if (hinted) told.push(`${hinted} corrected`);
  byId("summary").textContent = told.join(" · ");
  for (const option of byId("choice").options) option.textContent = `${option.dataset.name} (${number[option.value]})`;
  byId("none-shown").hidden = !items.length || visible().length > 0;
  byId("opacity-value").textContent = `${byId("opacity").value} %`;
  byId("threshold-value").textContent = `${byId("threshold").value} %`;
  document.documentElement.style.setProperty("--heat", Number(byId("opacity").value) / 100);
  kept.render(items.length > 0 && !progress.isRunning);
  viewer.refresh();
  byId("kept-here").textContent = storage.available ? "Images and results stay in this browser, for 7 days, until you clear them." : "A reload loses images and results: this browser keeps none, or another tab does.";
  saveState();
}

function saveState() {
  if (!isRestored) return;
  const settings = Object.fromEntries(SETTINGS.map((id) => [id, byId(id).value]));
  storage.saveState({ order: images.items.map((item) => item.id), settings, model }).catch(() => {});
}

// Has images looked at: all, or those given (where a kept object is looked for, each stands for itself).
async function run(items = images.items) {
  if (!items.length || !byId("form").reportValidity()) return;
  const over = overLimit(items), hints = kept.selected ? [] : hintsOf(items);
  if (over) { tell("Nothing was sent", over); return; }
  if (hints.length > MOST_HINTS) { tell("Too many hints", `${hints.length} boxes are corrected or images left out; at most ${MOST_HINTS} are taken. Nothing is lost: download the results as they are.`); return; }
  if (hints.length && byId("mode").value === "attention") byId("mode").value = "common"; // what hints are about
  const mode = byId("mode").value;
  const fields = { max_boxes: byId("max-boxes").value, ...(kept.selected ? { object: kept.selected } : { mode }), ...(hints.length ? { hints: JSON.stringify(hints) } : {}) };
  const sent = [...items];
  tell("");
  say("");
  try {
    const answer = await progress.during(`Looking at ${count(sent.length, "image")}`, (signal, tells) => {
      waiting = new Set(sent);
      render();
      return service.colocalize(sent, fields, { signal, tell: tells });
    });
    model = answer.model;
    images.answered(sent, answer.images, fields.max_boxes === "1");
    const alone = mode === "common" && answer.mode === "attention";
    say(`Done in ${(answer.timing_ms.total / 1000).toFixed(2)} s.` + (alone ? " Nothing in common was found; this is what stands out in each." : ""));
  } catch (error) {
    failed(error); // what was found before stays
  } finally {
    if (!progress.isRunning) waiting = new Set();
    render();
  }
}

// Takes files up. The first are looked at at once, and so are later ones where a kept object is looked for.
function take({ files, note }) {
  const room = Math.max(limits.max_images - images.items.length, 0), isFirst = !images.items.some((item) => item.result);
  const added = images.add(files.slice(0, room)), notes = note ? [note] : [];
  if (added.length < files.length) notes.push(`At most ${limits.max_images} images at a time: ${files.length > limits.max_images ? "the others" : `the last ${files.length - added.length}`} were left out.`);
  tell(notes.length ? (added.length ? "Not all were taken" : "Nothing was taken") : "", notes.join(" "));
  const problem = notes.length ? [byId("problem-words").textContent] : [];
  render();
  if (!added.length || overLimit(images.items)) return;
  if (isFirst || kept.selected) {
    run(isFirst ? images.items : added).then(() => { if (problem.length && byId("problem").hidden) { byId("problem").hidden = false; byId("problem-words").textContent = problem[0]; } });
  } else say(`${count(added.length, "image")} added. Run again to find what all ${images.items.length} have in common.`);
}

function toggleAbsent(item) {
  setAbsent(item, !item.said?.absent);
  images.save(item);
  render();
}

function removeImage(item) {
  const list = visible(), next = list[list.indexOf(item) + 1] ?? list[list.indexOf(item) - 1];
  images.remove(item);
  render();
  if (next) cards.focus(next); else byId("files").focus();
  say(`${item.name} was removed.`);
}

function forgetHints() {
  for (const item of images.items.filter((one) => one.said)) { item.said = null; images.save(item); }
  run();
}

function clear() {
  progress.cancel();
  images.clear();
  model = null;
  tell("");
  say("Everything was cleared.");
  render();
  byId("files").focus();
}

async function takeAway(event) {
  event.preventDefault();
  if (!byId("download-form").reportValidity()) return;
  const options = { threshold: threshold(), label: byId("label").value.trim() || "object", model };
  byId("download").disabled = true;
  try {
    say(`Downloaded ${await download(service, byId("format").value, images.items, options)}`);
    tell("");
  } catch (error) {
    failed(error);
  } finally {
    byId("download").disabled = false;
  }
}

async function keepObject(event) {
  event.preventDefault();
  if (!byId("keep-form").reportValidity()) return;
  const over = overLimit(images.items);
  if (over) { tell("Nothing was sent", over); return; }
  tell("");
  try {
    const told = await progress.during("Learning the object", (signal, tells) => {
      waiting = new Set(images.items);
      render();
      return kept.keep(byId("keep-name").value, images.items, hintsOf(images.items), { signal, tell: tells });
    });
    say(`“${told.name}” is kept, from ${count(told.images, "image")}. What you drop next is looked through for it.`);
  } catch (error) {
    failed(error);
  } finally {
    waiting = new Set();
    render();
  }
}

async function restore() {
  const found = await storage.load().catch(() => null);
  if (images.items.length) { images.items.forEach((item) => images.save(item)); return; } // somebody was faster
  if (!found?.images.length) return;
  images.restore(found.images);
  ({ model } = found.state);
  for (const id of SETTINGS) if (found.state.settings[id] !== undefined) byId(id).value = found.state.settings[id];
  if (!byId("mode").value) byId("mode").value = "common"; // an object that is not there any more
  say(`${count(images.items.length, "image")} from before.`);
}

const events = [
  ["files", "change", (event) => { take(chosen(event.target.files)); event.target.value = ""; }],
  ["folder", "change", (event) => { take(chosen(event.target.files)); event.target.value = ""; }],
  ["form", "submit", (event) => { event.preventDefault(); run(); }],
  ["mode", "change", () => { render(); if (images.items.length) run(); }],
  ["max-boxes", "change", () => { if (images.items.length) run(); }],
  ["forget", "click", forgetHints],
  ["clear", "click", clear],
  ["problem-close", "click", () => tell("")],
  ["key", "change", async () => { await loadModel(); if (images.items.length) run(); }],
  ["download-form", "submit", takeAway],
  ["keep-form", "submit", keepObject],
  ...["order", "choice", "label"].map((id) => [id, "change", render]),
  ...["opacity", "threshold"].map((id) => [id, "input", render]),
];
for (const [id, type, does] of events) byId(id).addEventListener(type, does);
for (const type of ["dragenter", "dragover"]) {
  document.addEventListener(type, (event) => { event.preventDefault(); byId("drop").classList.add("over"); });
}
for (const type of ["dragleave", "drop"]) {
  document.addEventListener(type, (event) => { event.preventDefault(); byId("drop").classList.remove("over"); });
}
document.addEventListener("drop", (event) => {
  dropped(event.dataTransfer, limits.max_images).then(take, (error) => tell("What was dropped cannot be read", error.message));
});
document.addEventListener("paste", (event) => { if (event.clipboardData.files.length) take(chosen(event.clipboardData.files)); });

await Promise.all([storage.open(), loadModel()]);
await restore();
isRestored = true;
render();
document.body.classList.add("ready");
