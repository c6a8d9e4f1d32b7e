"use strict";
// The page of the service: images go to POST /colocalize, boxes and heat maps are laid over them here.
// Hints that are drawn on what came back go along when it is run again (hints.js).

const byId = (id) => document.getElementById(id);
const form = byId("form"), files = byId("files"), drop = byId("drop"), again = byId("again");
const forget = byId("forget"), advice = byId("advice");
const statusLine = byId("status"), problem = byId("problem"), results = byId("results"), opacity = byId("opacity");

const MIB = 2 ** 20;

let images = [];        // the files to send
let finished = [];      // the cards of the last answer
let running = null;     // AbortController of the request under way
let limits = { max_images: 64, max_bytes: 32 * MIB, max_request_bytes: 128 * MIB };

const hints = new Hints(() => {
  again.textContent = hints.count ? `Run again with ${hints.count === 1 ? "this hint" : `these ${hints.count} hints`}` : "Run again";
  forget.hidden = !hints.count;
  if (hints.count) byId("mode").value = "common"; // what hints are about
});

const inMib = (bytes) => bytes < MIB ? `${Math.ceil(bytes / 1024)} KiB` : `${+(bytes / MIB).toFixed(1)} MiB`;

// A failure that is told in two parts: what happened, and what to do.
class Failure extends Error {
  constructor(title, detail) { super(title); this.detail = detail; }
}

function headers() {
  const key = byId("key").value.trim();
  return key ? { Authorization: `Bearer ${key}` } : {};
}

async function loadModel() {
  const answer = await fetch("model", { headers: headers() }).catch(() => null);
  if (answer?.status === 401) { byId("key-label").hidden = false; return; }
  if (!answer?.ok) return;
  const model = await answer.json();
  limits = model.limits;
  byId("limits").textContent = "JPEG, PNG, WebP, GIF, BMP or TIFF, "
    + `up to ${limits.max_images} at a time, ${inMib(limits.max_bytes)} each and ${inMib(limits.max_request_bytes)} together`;
  byId("max-boxes").max = model.limits.max_boxes;
  const warning = model.provider_warning ? ` (${model.provider_warning})` : "";
  byId("model-name").textContent = `${model.name} on ${model.provider.replace("ExecutionProvider", "")}${warning}`;
}

function makeCard(file) {
  const card = byId("card").content.firstElementChild.cloneNode(true);
  const shown = card.querySelector(".image");
  // Browsers cannot show every format, TIFF for one; boxes and heat map can be seen without it.
  shown.addEventListener("error", () => card.querySelector(".stage").classList.add("unseen"));
  shown.src = URL.createObjectURL(file);
  shown.alt = file.name;
  card.querySelector(".name").textContent = file.name;
  return card;
}

function letGo(cards) {
  for (const card of cards) URL.revokeObjectURL(card.querySelector(".image").src);
}

function tell(title, detail) {
  problem.hidden = !title;
  problem.textContent = title ? `${title}. ${detail ?? ""}` : "";
}

function drawBoxes(svg, image) {
  svg.setAttribute("viewBox", `0 0 ${image.width} ${image.height}`);
  // Lines at the image's border are moved in by their own width, or half of them would be cut off.
  const inset = 3 * image.width / (svg.clientWidth || image.width);
  const within = (value, end) => Math.min(Math.max(value, inset), end - inset);
  svg.replaceChildren(...[...image.boxes].reverse().flatMap((box, index, all) => ["outline", ""].map((kind) => {
    const rect = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    const [x0, x1] = [box.x0, box.x1].map((x) => within(x, image.width));
    const [y0, y1] = [box.y0, box.y1].map((y) => within(y, image.height));
    rect.setAttribute("x", x0);
    rect.setAttribute("y", y0);
    rect.setAttribute("width", Math.max(x1 - x0, 0));
    rect.setAttribute("height", Math.max(y1 - y0, 0));
    rect.setAttribute("class", `${kind} ${index === all.length - 1 ? "first" : ""}`.trim());
    return rect;
  })));
}

function facts(image, mode, unseen) {
  if (image.error) return image.error.message;
  const size = `${image.width} × ${image.height}` + (image.warning ? ` · ${image.warning.message}` : "") + (unseen ? " · this browser does not show the format" : "");
  if (!image.boxes.length) return `${size} · nothing found`;
  const boxes = image.boxes.length === 1 ? "1 box" : `${image.boxes.length} boxes`;
  if (mode === "attention") return `${size} · ${boxes}`;
  const sure = `${Math.round(100 * image.confidence)} % sure`;
  return image.contains_common_object !== false ? `${size} · ${boxes} · ${sure}` : `${size} · does not show it · ${sure}`;
}

function fill(answer) {
  answer.images.forEach((image, index) => {
    const card = results.children[index], stage = card.querySelector(".stage"), shown = card.querySelector(".image");
    const tellFacts = () => {
      card.querySelector(".facts").textContent = facts(image, answer.mode, stage.classList.contains("unseen"));
    };
    tellFacts();
    shown.addEventListener("error", tellFacts);
    card.classList.toggle("failed", Boolean(image.error));
    card.classList.toggle("absent", image.contains_common_object === false && !image.error);
    shown.alt = `${image.name}: ${image.boxes.length} boxes`;
    if (image.error) return;
    stage.style.aspectRatio = `${image.width} / ${image.height}`;
    drawBoxes(card.querySelector(".boxes"), image);
    hints.offer(card, index, image);
    if (image.heatmap) card.querySelector(".heat").src = `data:${image.heatmap.media_type};base64,${image.heatmap.data}`;
  });
}

function checkSize() {
  const bytes = images.reduce((sum, file) => sum + file.size, 0);
  if (bytes + 1024 * images.length > limits.max_request_bytes) {
    throw new Failure("Too many bytes", `All together have ${inMib(bytes)}; at most ${inMib(limits.max_request_bytes)} `
      + "are allowed at a time. Choose fewer or smaller images.");
  }
}

// Names to send the files under: hints need each to have its own, and files of two folders may be called the same.
function names() {
  const seen = new Map();
  return images.map((file) => {
    let name = file.name;
    for (let number = 2; seen.has(name); number += 1) name = file.name.replace(/(\.[^.]*)?$/, ` (${number})$1`);
    seen.set(name, file);
    return name;
  });
}

// Sends the images and gives the answer's JSON, or throws a Failure that says who refused them and why.
async function ask(signal) {
  checkSize();
  const body = new FormData();
  const called = names();
  images.forEach((file, index) => body.append("images", file, called[index]));
  body.append("mode", byId("mode").value);
  if (hints.count && byId("mode").value === "common") body.append("hints", JSON.stringify(hints.entries(called)));
  body.append("max_boxes", byId("max-boxes").value || "1");
  body.append("heatmap", "png");
  let response;
  try {
    response = await fetch("colocalize", { method: "POST", body, headers: headers(), signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    for (const file of images) {
      await file.slice(0, 1).arrayBuffer().catch(() => {
        throw new Failure(`${file.name} cannot be read`, "It may have been moved or changed, or be a folder. Choose it again.");
      });
    }
    throw new Failure("The service did not answer", "Is it still running, and reachable from here?");
  }
  const isJson = /[/+]json\b/.test(response.headers.get("content-type") ?? "");
  const answer = isJson ? await response.json() : null;
  if (response.ok && answer) return answer;
  if (response.status === 401) byId("key-label").hidden = false;
  const wait = response.headers.get("retry-after");
  if (answer?.title) throw new Failure(answer.title, answer.detail + (wait ? ` Try again in ${wait} s.` : ""));
  // Not the service's words: something on the way, most likely a proxy, answered in its place.
  const why = response.status === 413 ? "It takes smaller requests only: send fewer or smaller images, or raise its limit."
    : `It answered with status ${response.status} ${response.statusText}`.trim() + ".";
  throw new Failure("A proxy before the service refused the request", why);
}

async function run() {
  if (!images.length) return;
  running?.abort();
  const mine = running = new AbortController();
  tell("");
  const cards = images.map(makeCard);
  results.replaceChildren(...cards);
  statusLine.textContent = images.length === 1 ? "Looking at 1 image …" : `Looking at ${images.length} images …`;
  for (const card of cards) card.classList.add("waiting");
  try {
    const answer = await ask(mine.signal);
    letGo(finished);
    finished = cards;
    fill(answer);
    const seconds = (answer.timing_ms.total / 1000).toFixed(2);
    const alone = byId("mode").value === "common" && answer.mode === "attention";
    advice.hidden = answer.mode !== "common" || Boolean(hints.count);
    statusLine.textContent = `Done in ${seconds} s.` + (alone ? " Nothing in common was found; this is what stands out in each." : "");
  } catch (error) {
    letGo(cards);
    if (running === mine) results.replaceChildren(...finished); // what was found before is not lost
    if (error.name === "AbortError") return;
    tell(error.message, error.detail);
    statusLine.textContent = "";
  } finally {
    if (running === mine) {
      running = null;
      for (const card of cards) card.classList.remove("waiting");
    }
  }
}

function take(list, note = "") {
  const taken = [...list];
  if (!taken.length) {
    if (note) tell("Nothing was taken", note);
    return;
  }
  images = taken.slice(0, limits.max_images);
  hints.clear();
  again.disabled = false;
  const notes = [note, taken.length > images.length ? `The first ${images.length} of ${taken.length} images were taken.` : ""];
  run().then(() => { if (problem.hidden && notes.join("")) tell("Not all were taken", notes.join(" ").trim()); });
}

const IMAGE_NAME = /\.(jpe?g|jpe|jfif|mpo|png|apng|webp|gif|bmp|dib|tiff?)$/i;

// The files of what was dropped. Folders are looked through: as files they could not be read.
async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return { list: [...transfer.files], note: "" };
  const list = [];
  let others = 0;
  async function walk(entry, depth) {
    if (entry.isFile) {
      if (depth && !IMAGE_NAME.test(entry.name)) others += 1;
      else list.push(await new Promise((resolve, reject) => entry.file(resolve, reject)));
      return;
    }
    const reader = entry.createReader();
    for (;;) {
      const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject)); // at most 100 at a time
      if (!some.length || list.length > limits.max_images) return;
      for (const inner of some.sort((a, b) => (a.name < b.name ? -1 : 1))) await walk(inner, depth + 1);
    }
  }
  for (const entry of entries) await walk(entry, 0);
  const kinds = others === 1 ? "1 file of another kind was left out." : `${others} files of other kinds were left out.`;
  return { list, note: others ? kinds : list.length ? "" : "There are no images in the folder." };
}

files.addEventListener("change", () => take(files.files));
form.addEventListener("submit", (event) => { event.preventDefault(); run(); });
for (const id of ["mode", "max-boxes"]) byId(id).addEventListener("change", () => { if (form.reportValidity()) run(); });
forget.addEventListener("click", () => { hints.clear(); run(); });
byId("key").addEventListener("change", () => { loadModel(); run(); });
opacity.addEventListener("input", () => {
  byId("opacity-value").textContent = `${opacity.value} %`;
  results.style.setProperty("--heat", opacity.value / 100);
});
for (const name of ["dragenter", "dragover"]) {
  document.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("over"); });
}
for (const name of ["dragleave", "drop"]) {
  document.addEventListener(name, (event) => { event.preventDefault(); drop.classList.remove("over"); });
}
document.addEventListener("drop", (event) => {
  dropped(event.dataTransfer).then(
    ({ list, note }) => take(list, note), (error) => tell("What was dropped cannot be read", error.message));
});
document.addEventListener("paste", (event) => take(event.clipboardData.files));
loadModel();
