// Files of what was chosen, dropped or pasted. Folders are looked through: as files they could not be read.
import { count } from "./dom.js";

const IMAGE_NAME = /\.(jpe?g|jpe|jfif|mpo|png|apng|webp|gif|bmp|dib|tiff?)$/i;

const fileOf = (entry) => new Promise((resolve, reject) => entry.file(resolve, reject));
const someEntries = (reader) => new Promise((resolve, reject) => reader.readEntries(resolve, reject)); // at most 100

// Files of an <input> or of the clipboard; those of a folder are named by their place in it.
export function chosen(list) {
  const all = [...list], inFolder = all.some((file) => file.webkitRelativePath);
  const taken = all.filter((file) => !inFolder || IMAGE_NAME.test(file.name));
  const files = taken.map((file) => ({ file, name: file.webkitRelativePath.split("/").slice(1).join("/") || file.name }));
  return { files: sorted(files), note: leftOut(all.length - taken.length, files.length, inFolder) };
}

// Files of what was dropped, and a note on what was left out. Names are relative to the folder, where one was dropped.
export async function dropped(transfer, most) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return chosen(transfer.files);
  const files = [];
  let others = 0;
  async function walk(entry, name, depth) {
    if (entry.isFile) {
      if (depth && !IMAGE_NAME.test(entry.name)) others += 1;
      else files.push({ file: await fileOf(entry), name });
      return;
    }
    const reader = entry.createReader(), inner = [];
    for (let some = await someEntries(reader); some.length; some = await someEntries(reader)) inner.push(...some);
    const prefix = depth === 0 && entries.length === 1 ? "" : `${name}/`;
    for (const one of inner.sort(byName)) {
      if (files.length > most) return; // enough to say that there are too many
      if (!one.name.startsWith(".")) await walk(one, prefix + one.name, depth + 1);
    }
  }
  for (const entry of entries) await walk(entry, entry.name, 0);
  return { files: sorted(files), note: leftOut(others, files.length, true) };
}

function leftOut(others, taken, inFolder) {
  if (others) return `${count(others, "file")} of other kinds ${others === 1 ? "was" : "were"} left out.`;
  return inFolder && !taken ? "There are no images in the folder." : "";
}

const byName = (a, b) => a.name.localeCompare(b.name, "en", { numeric: true });
const sorted = (files) => files.sort(byName);

// A name that no other image has: hints and files need each to have its own, and two folders may have the same.
export function ownName(name, taken) {
  let own = name;
  for (let number = 2; taken.has(own); number += 1) own = name.replace(/(\.[^./]*)?$/, ` (${number})$1`);
  return own;
}
