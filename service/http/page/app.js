// The page of the service: images go to POST /colocalize, what comes back is looked at, corrected and taken away.
import { Cards } from "./cards.js";
import { Collection } from "./collection.js";
import { Failure, byId, count, together } from "./dom.js";
import { download } from "./downloads.js";
import { chosen, dropped, isSame } from "./files.js";
import { Kept } from "./kept.js";
import { Limits } from "./limits.js";
import { showOverview } from "./overview.js";
import { Progress } from "./progress.js";
import { hintsOf, setAbsent } from "./review.js";
import { Service } from "./service.js";
import { arranged } from "./sorting.js";
import { Storage } from "./storage.js";
import { Viewer } from "./viewer.js";

const MOST_HINTS = 64; // in a request
const SETTINGS = ["mode", "max-boxes", "opacity", "order", "choice", "threshold", "label"];

let model = null; // of the last answer, for the formats that name it
let advice = null; // of the last answer: what to make of the boxes
let isRestored = false; // before, nothing is saved over what was kept
let waiting = new Set(); // images of the request under way

const limits = new Limits();
const storage = new Storage();
const images = new Collection(storage, () => {
  tell("Not everything is kept", "This browser has no room: a reload will lose the newest.");
});
const service = new Service(
  () => byId("key").value.trim(),
  () => {
    byId("key-label").hidden = false;
  },
);
const progress = new Progress();
const cards = new Cards(byId("results"), {
  open: (item) => viewer.open(item),
  absent: toggleAbsent,
  remove: removeImage,
});
const viewer = new Viewer({
  changed: (item) => {
    images.save(item);
    render();
  },
  closed: (item) => {
    if (item) cards.focus(item);
  },
  single: () => byId("max-boxes").value === "1",
  threshold,
  list: visible,
});
const kept = new Kept(service, { failed });

function threshold() {
  return Number(byId("threshold").value) / 100;
}

function visible() {
  return arranged(images.items, { order: byId("order").value, choice: byId("choice").value, threshold: threshold() });
}

function tell(title = "", detail = "") {
  byId("problem").hidden = !title;
  byId("problem-words").textContent = title ? `${title}. ${detail}`.trim() : "";
}

const say = (words) => {
  byId("status").textContent = words;
};

// What an error means for who looks at the page; that a request was cancelled is no error.
function failed(error) {
  if (error.name === "AbortError") {
    if (!progress.isRunning) say("Cancelled."); // else by the request that took its place
    return;
  }
  if (!(error instanceof Failure)) console.error(error);
  tell(error.message, error.detail ?? "");
}

async function loadModel() {
  const told = await service.model();
  if (!told) return;
  limits.set(told.limits);
  byId("limits").textContent = `JPEG, PNG, WebP, GIF, BMP or TIFF, ${limits.words}`;
  byId("max-boxes").max = told.limits.max_boxes;
  const warning = told.provider_warning ? ` (${told.provider_warning})` : "";
  byId("model-name").textContent = `${told.name} on ${told.provider.replace("ExecutionProvider", "")}${warning}`;
  await kept.load(told.keeps_objects);
  render();
}

function render() {
  const { items } = images,
    shown = visible(),
    { isRunning } = progress;
  showOverview(items, { limits, threshold: threshold(), isRunning, object: kept.selected, advice });
  cards.show(shown, { threshold: threshold(), waiting });
  byId("none-shown").hidden = !items.length || shown.length > 0;
  for (const id of ["opacity", "threshold"]) byId(`${id}-value`).textContent = together(byId(id).value, "%");
  document.documentElement.style.setProperty("--heat", Number(byId("opacity").value) / 100);
  kept.render(items.length > 0 && !isRunning);
  viewer.refresh();
  byId("kept-here").textContent = storage.available
    ? "Images and results stay in this browser, for 7 days, until you clear them."
    : "A reload loses images and results: this browser keeps none, or another tab does.";
  saveState();
}

function saveState() {
  if (!isRestored) return;
  const settings = Object.fromEntries(SETTINGS.map((id) => [id, byId(id).value]));
  settings.teaches = byId("teach").checked;
  storage.saveState({ order: images.items.map((item) => item.id), settings, model, advice }).catch(() => {});
}

// What a run or a kept object is taught by: what was corrected, unless it is to stay with its own images.
const taughtBy = (items) => (byId("teach").checked ? hintsOf(items) : []);

// The fields of a request besides its images, or why there can be none.
function fieldsOf(items) {
  const fields = { max_boxes: byId("max-boxes").value };
  if (kept.selected) return { ...fields, object: kept.selected };
  const hints = taughtBy(items);
  if (hints.length > MOST_HINTS) {
    throw new Failure(
      "Too many hints",
      `There are ${hints.length} corrections, and at most ${MOST_HINTS} are taken. ` +
        "Nothing is lost: all are in what you download.",
    );
  }
  if (!hints.length) return { ...fields, mode: byId("mode").value };
  byId("mode").value = "common"; // what hints are about
  return { ...fields, mode: "common", hints: JSON.stringify(hints) };
}

// Sends images with a bar shown; whatever goes wrong is told, and what was found before stays. Gives what came of it.
async function sending(items, doing, ask) {
  const sent = [...items];
  try {
    const over = limits.over(sent);
    if (over) throw new Failure("Nothing was sent", over);
    return await progress.during(doing, (signal, tells) => {
      waiting = new Set(sent);
      say("");
      render();
      return ask(sent, { signal, tell: tells });
    });
  } catch (error) {
    failed(error);
    return null;
  } finally {
    if (!progress.isRunning) waiting = new Set();
  }
}

// Has images looked at: all, or those given (where a kept object is looked for, each stands for itself). `note` is what
// else there is to tell.
async function run(items = images.items, note = []) {
  if (!items.length || !byId("form").reportValidity()) return;
  tell(...note);
  let asked = {};
  await sending(items, `Looking at ${count(items.length, "image")}`, async (sent, options) => {
    asked = fieldsOf(sent);
    const answer = await service.colocalize(sent, asked, options);
    ({ model, advice } = answer);
    images.answered(sent, answer.images, asked.max_boxes === "1");
    const alone = asked.mode === "common" && answer.mode === "attention";
    say(
      `Done in ${together((answer.timing_ms.total / 1000).toFixed(2), "s")}.` +
        (alone ? " Nothing in common was found; this is what stands out in each." : ""),
    );
  });
  render();
}

// Takes files up. The first are looked at at once, and so are later ones where a kept object is looked for.
function take({ files, note }) {
  const room = Math.max(limits.images - images.items.length, 0),
    isFirst = !images.items.some((item) => item.result);
  const fresh = files.filter(({ file }) => !images.items.some((item) => isSame(item.file, file))),
    known = files.length - fresh.length;
  const added = images.add(fresh.slice(0, room)),
    notes = note ? [note] : [];
  if (known) notes.push(known < files.length ? `${known} of them ${known === 1 ? "is" : "are"} here already.` : "All of it is here already.");
  if (added.length < fresh.length) {
    const others = files.length > limits.images ? "the others" : `the last ${fresh.length - added.length}`;
    notes.push(
      `At most ${limits.images} images at a time: ${others} were left out. For folders of any size there is the ` +
        "command colocalize score.",
    );
  }
  const told = notes.length ? [added.length ? "Not all were taken" : "Nothing was taken", notes.join(" ")] : [];
  tell(...told);
  render();
  const isAskedAgain = isFirst && known > 0; // of a run that was cancelled, or failed
  if (!(added.length || isAskedAgain) || limits.over(images.items)) return;
  if (isFirst || kept.selected) run(isFirst ? images.items : added, added.length ? told : []);
  else say(`${count(added.length, "image")} added. Run again to find what all ${images.items.length} have in common.`);
}

function toggleAbsent(item) {
  setAbsent(item, !item.said?.absent);
  images.save(item);
  render();
}

function removeImage(item) {
  const list = visible(),
    next = list[list.indexOf(item) + 1] ?? list[list.indexOf(item) - 1];
  images.remove(item);
  render();
  if (next) cards.focus(next);
  else byId("files").focus();
  say(`${item.name} was removed.`);
}

function forgetHints() {
  for (const item of images.items.filter((one) => one.said)) {
    item.said = null;
    images.save(item);
  }
  run();
}

function clear() {
  const corrected = images.items.filter((item) => item.said).length;
  const question = `Clear everything, with what you said of ${count(corrected, "image")}? It cannot be had back.`;
  if (corrected && !confirm(question)) return;
  progress.cancel();
  images.clear();
  model = advice = null;
  tell("");
  say("Everything was cleared.");
  render();
  byId("files").focus();
}

async function takeAway(event) {
  event.preventDefault();
  if (!byId("download-form").reportValidity()) return;
  const waits = (seconds) => say(`The service is busy: trying again in ${count(seconds, "second")}.`);
  const label = byId("label").value.trim() || "object",
    options = { threshold: threshold(), label, model, tell: { waiting: waits } };
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
  tell("");
  const told = await sending(images.items, "Learning the object", (sent, options) =>
    kept.keep(byId("keep-name").value, sent, taughtBy(sent), options),
  );
  if (told) {
    const from = count(told.images, "image");
    say(`“${told.name}” is kept, from ${from}. What you drop next is looked through for it.`);
  }
  render();
}

async function restore() {
  const found = await storage.load().catch(() => null);
  if (images.items.length) images.saveAll(); // somebody was faster
  if (images.items.length) return;
  if (!found?.images.length) return;
  images.restore(found.images);
  ({ model, advice = null } = found.state);
  for (const id of SETTINGS) if (found.state.settings[id] !== undefined) byId(id).value = found.state.settings[id];
  byId("teach").checked = found.state.settings.teaches ?? true;
  if (!byId("mode").value) byId("mode").value = "common"; // an object that is not there any more
  const fresh = images.items.filter((item) => !item.result).length;
  say(`${count(images.items.length, "image")} from before${fresh ? `, ${fresh} not looked at yet` : ""}.`);
}

const on = (id, type, does) => byId(id).addEventListener(type, does);

const runIfAny = () => {
  if (images.items.length) run();
};

for (const id of ["files", "folder"]) {
  on(id, "change", (event) => {
    take(chosen(event.target.files));
    event.target.value = ""; // so that the same may be chosen again
  });
}
on("form", "submit", (event) => {
  event.preventDefault();
  run();
});
for (const id of ["mode", "max-boxes"]) {
  on(id, "change", () => {
    render();
    runIfAny();
  });
}
on("key", "change", () => loadModel().then(runIfAny));
on("forget", "click", forgetHints);
on("clear", "click", clear);
on("problem-close", "click", () => tell());
on("download-form", "submit", takeAway);
on("keep-form", "submit", keepObject);
for (const id of ["order", "choice", "label", "teach"]) on(id, "change", render);
for (const id of ["opacity", "threshold"]) on(id, "input", render);
for (const type of ["dragenter", "dragover"]) {
  document.addEventListener(type, (event) => {
    event.preventDefault();
    byId("drop").classList.add("over");
  });
}
for (const type of ["dragleave", "drop"]) {
  document.addEventListener(type, (event) => {
    event.preventDefault();
    byId("drop").classList.remove("over");
  });
}
document.addEventListener("drop", (event) => {
  dropped(event.dataTransfer, limits.images).then(take, (error) =>
    tell("What was dropped cannot be read", error.message),
  );
});
document.addEventListener("paste", (event) => {
  if (event.clipboardData.files.length) take(chosen(event.clipboardData.files));
});

await Promise.all([storage.open(), loadModel()]);
await restore();
isRestored = true;
render();
document.body.classList.add("ready");
