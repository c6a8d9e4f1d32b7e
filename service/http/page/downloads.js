// Everything as files: results in the formats of other tools, written by the service; crops, cut here, where the images
// are, so that they need not be sent a second time.
import { Failure, count, save } from "./dom.js";
import { boxesOf, isRead, reviewed, shows } from "./review.js";
import { zipped } from "./zip.js";

const TAKEN_AS = { ".apng": ".png", ".dib": ".bmp", ".jfif": ".jpg", ".jpe": ".jpg" }; // as scoring/formats/yolo.py

const yoloPath = (name) => `images/${name}${TAKEN_AS[/\.[^./]*$/.exec(name)?.[0].toLowerCase()] ?? ""}`;

// Downloads results of images; gives what to tell of it. `tell` is told of waiting, as in sending.js.
export async function download(service, format, items, { threshold, label, model, tell }) {
  const answered = items.filter((item) => item.result);
  if (!answered.length) throw new Failure("There is nothing to download", "No image has a result yet.");
  if (format === "crops") return downloadCrops(answered, threshold);
  const images = answered.map((item) => reviewed(item, threshold));
  const file = await service.export(format, model ? { images, model } : { images }, {
    label,
    keepUnflagged: false,
    tell,
  });
  let { blob } = file;
  if (format === "yolo") {
    const readable = answered.filter(isRead);
    blob = await zipped(
      readable.map((item) => ({ path: yoloPath(item.name), blob: item.file })),
      blob,
    );
  }
  save(blob, file.name);
  return `${file.name}: ${count(answered.length, "image")}.`;
}

async function downloadCrops(items, threshold) {
  const files = [],
    coarse = [];
  for (const item of items.filter((one) => isRead(one) && shows(one, threshold) !== false)) {
    const boxes = boxesOf(item);
    if (!boxes.length) continue;
    let source = item.file;
    let bitmap = await createImageBitmap(source).catch(() => null);
    if (!bitmap && item.preview) {
      source = item.preview;
      bitmap = await createImageBitmap(source);
      coarse.push(item.name);
    }
    if (!bitmap) continue;
    for (const [index, box] of boxes.entries()) {
      const number = boxes.length > 1 ? `_${index + 1}` : "";
      const png = source.type === "image/png";
      const path = `crops/${item.name.replace(/\.[^./]*$/, "")}${number}.${png ? "png" : "jpg"}`;
      files.push({
        path: freePath(path, files),
        blob: await crop(bitmap, box, item.result, png ? "image/png" : "image/jpeg"),
      });
    }
    bitmap.close();
  }
  if (!files.length) throw new Failure("There is nothing to crop", "No image has a box.");
  save(await zipped(files), "crops.zip");
  const note = coarse.length
    ? ` Those of ${coarse.join(", ")} are cut from the preview, at most 1024 pixels wide.`
    : "";
  return `crops.zip: ${count(files.length, "crop")}.${note}`;
}

// Images called a.jpg and a.webp would both give a.jpg.
function freePath(path, files) {
  let free = path;
  for (let number = 2; files.some((file) => file.path === free); number += 1)
    free = path.replace(/(\.\w+)$/, ` (${number})$1`);
  return free;
}

// One box of an image, whose bitmap may be smaller than the original.
async function crop(bitmap, box, { width, height }, type) {
  const [across, down] = [bitmap.width / width, bitmap.height / height];
  const x = Math.floor(box.x0 * across),
    y = Math.floor(box.y0 * down);
  const w = Math.max(Math.ceil(box.x1 * across) - x, 1),
    h = Math.max(Math.ceil(box.y1 * down) - y, 1);
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [w, h];
  canvas.getContext("2d").drawImage(bitmap, x, y, w, h, 0, 0, w, h);
  return new Promise((resolve) => {
    canvas.toBlob(resolve, type, 0.95);
  });
}
