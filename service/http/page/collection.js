// The images that are worked on, with what was found in them and said of them; kept in the browser's storage.
import { ownName } from "./files.js";
import { keepHints } from "./review.js";

const urlOf = (blob) => (blob ? URL.createObjectURL(blob) : null);

// An image: { id, file, name, result, heat, preview, said }, and addresses of its pictures. See review.js for `said`.
function made({ id = crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`, file, name, result = null, heat = null, preview = null, said = null }) {
  return { id, file, name, result, heat, preview, said, url: urlOf(file), heatUrl: urlOf(heat), previewUrl: urlOf(preview) };
}

const release = (item) => { for (const url of [item.url, item.heatUrl, item.previewUrl]) if (url) URL.revokeObjectURL(url); };

// A picture of an answer. (Not by fetching a data: address, which the content security policy forbids.)
function blobOf(picture) {
  return picture ? new Blob([Uint8Array.from(atob(picture.data), (one) => one.charCodeAt(0))], { type: picture.media_type }) : null;
}

export class Collection {
  items = [];

  // `failed` is called, once, where the storage has no room.
  constructor(storage, failed) {
    this.storage = storage;
    this.failed = failed;
  }

  get bytes() { return this.items.reduce((sum, item) => sum + item.file.size, 0); }

  // Takes up what was kept.
  restore(images) { this.items = images.map(made); }

  // Adds files, [{ file, name }]; gives the images.
  add(files) {
    const taken = new Set(this.items.map((item) => item.name));
    const added = files.map(({ file, name }) => {
      const own = ownName(name, taken);
      taken.add(own);
      return made({ file, name: own });
    });
    this.items.push(...added);
    for (const item of added) this.save(item);
    return added;
  }

  remove(item) {
    this.items = this.items.filter((other) => other !== item);
    release(item);
    this.#kept(this.storage.removeImage(item.id));
  }

  clear() {
    for (const item of this.items) release(item);
    this.items = [];
    this.#kept(this.storage.clear());
  }

  // Takes up the answer for images that were sent, in their order; what was removed meanwhile is passed over.
  // `single` says whether one box an image was looked for.
  answered(items, results, single) {
    for (const [index, item] of items.entries()) {
      if (!this.items.includes(item)) continue;
      const { heatmap, preview, ...result } = results[index];
      const heat = blobOf(heatmap), shown = blobOf(preview);
      if (item.heatUrl) URL.revokeObjectURL(item.heatUrl);
      if (item.previewUrl) URL.revokeObjectURL(item.previewUrl);
      Object.assign(item, { result, heat, preview: shown, heatUrl: urlOf(heat), previewUrl: urlOf(shown) });
      keepHints(item, single);
      this.save(item);
    }
  }

  save(item) { this.#kept(this.storage.saveImage(item)); }

  #kept(promise) { promise.catch((error) => this.failed(error)); }
}
