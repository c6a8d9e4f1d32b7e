"use strict";
// The page of the service: images go to POST /colocalize, boxes and heat maps are laid over them here.

const byId = (id) => document.getElementById(id);
const form = byId("form"), files = byId("files"), drop = byId("drop"), again = byId("again");
const statusLine = byId("status"), problem = byId("problem"), results = byId("results"), opacity = byId("opacity");

let images = [];      // the files shown
let running = null;     // AbortController of the request under way
let maxImages = 64;

function headers() {
  const key = byId("key").value.trim();
  return key ? { Authorization: `Bearer ${key}` } : {};
}

async function loadModel() {
  const answer = await fetch("/model", { headers: headers() }).catch(() => null);
  if (answer?.status === 401) { byId("key-label").hidden = false; return; }
  if (!answer?.ok) return;
  const model = await answer.json();
  maxImages = model.limits.max_images;
  const megabytes = Math.floor(model.limits.max_image_bytes / 2 ** 20);
  byId("limits").textContent = `JPEG, PNG, WebP, GIF, BMP or TIFF, up to ${maxImages} at a time, ${megabytes} MiB each`;
  byId("max-boxes").max = model.limits.max_boxes;
  const warning = model.provider_warning ? ` (${model.provider_warning})` : "";
  byId("model-name").textContent = `${model.name} on ${model.provider.replace("ExecutionProvider", "")}${warning}`;
}

function show(list) {
  for (const image of results.querySelectorAll(".image")) URL.revokeObjectURL(image.src);
  results.replaceChildren(...list.map((file) => {
    const card = byId("card").content.firstElementChild.cloneNode(true);
    const image = card.querySelector(".image");
    image.src = URL.createObjectURL(file);
    image.alt = file.name;
    card.querySelector(".name").textContent = file.name;
    return card;
  }));
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

function facts(image, mode) {
  if (image.error) return image.error.message;
  const size = `${image.width} × ${image.height}`;
  if (!image.boxes.length) return `${size} · nothing found`;
  const boxes = image.boxes.length === 1 ? "1 box" : `${image.boxes.length} boxes`;
  if (mode === "attention") return `${size} · ${boxes}`;
  const sure = `${Math.round(100 * image.confidence)} % sure`;
  return image.contains_common_object ? `${size} · ${boxes} · ${sure}` : `${size} · does not show it · ${sure}`;
}

function fill(answer) {
  answer.images.forEach((image, index) => {
    const card = results.children[index];
    card.querySelector(".facts").textContent = facts(image, answer.mode);
    card.classList.toggle("failed", Boolean(image.error));
    card.classList.toggle("absent", !image.error && !image.contains_common_object);
    const image = card.querySelector(".image");
    image.alt = `${image.name}: ${image.boxes.length} boxes`;
    if (image.error) return;
    drawBoxes(card.querySelector(".boxes"), image);
    if (image.heatmap) card.querySelector(".heat").src = `data:${image.heatmap.media_type};base64,${image.heatmap.data}`;
  });
}

async function run() {
  if (!images.length) return;
  running?.abort();
  const mine = running = new AbortController();
  const body = new FormData();
  for (const file of images) body.append("images", file, file.name);
  body.append("mode", byId("mode").value);
  body.append("max_boxes", byId("max-boxes").value || "1");
  body.append("heatmap", "png");
  tell("");
  show(images);
  statusLine.textContent = images.length === 1 ? "Looking at 1 image …" : `Looking at ${images.length} images …`;
  for (const card of results.children) card.classList.add("waiting");
  try {
    const response = await fetch("/colocalize", { method: "POST", body, headers: headers(), signal: mine.signal });
    const answer = await response.json();
    if (!response.ok) {
      if (response.status === 401) byId("key-label").hidden = false;
      const wait = response.headers.get("retry-after");
      tell(answer.title, answer.detail + (wait ? ` Try again in ${wait} s.` : ""));
      statusLine.textContent = "";
      return;
    }
    fill(answer);
    const seconds = (answer.timing_ms.total / 1000).toFixed(2);
    const alone = byId("mode").value === "common" && answer.mode === "attention";
    statusLine.textContent = `Done in ${seconds} s.` + (alone ? " Nothing in common was found; this is what stands out in each." : "");
  } catch (error) {
    if (error.name === "AbortError") return;
    tell("The service did not answer", "Is it still running?");
    statusLine.textContent = "";
  } finally {
    if (running === mine) {
      running = null;
      for (const card of results.children) card.classList.remove("waiting");
    }
  }
}

function take(list) {
  const taken = [...list];
  if (!taken.length) return;
  images = taken.slice(0, maxImages);
  again.disabled = false;
  run().then(() => {
    if (taken.length > maxImages) tell("Too many images", `The first ${maxImages} of ${taken.length} were taken.`);
  });
}

files.addEventListener("change", () => take(files.files));
form.addEventListener("submit", (event) => { event.preventDefault(); run(); });
for (const id of ["mode", "max-boxes"]) byId(id).addEventListener("change", () => { if (form.reportValidity()) run(); });
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
document.addEventListener("drop", (event) => take(event.dataTransfer.files));
document.addEventListener("paste", (event) => take(event.clipboardData.files));
loadModel();
