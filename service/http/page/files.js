// Files of what was chosen, dropped or pasted. Folders are looked through: as files they could not be read.
import { count } from "./dom.js";

const IMAGE_NAME = /\.(jpe?g|jpe|jfif|mpo|png|apng|webp|gif|bmp|dib|tiff?)$/i;

const fileOf = (entry) => new Promise((resolve, reject) => entry.file(resolve, reject));
const someEntries = (reader) => new Promise((resolve, reject) => reader.readEntries(resolve, reject)); // at most 100

// Files of an <input> or of the clipboard; those of a folder are named by their place in it.
export function chosen(list) {
  const all = [...list],
    left = new Left(),
    inFolder = all.some((file) => file.webkitRelativePath);
  const taken = all.filter((file) => !inFolder || IMAGE_NAME.test(file.name) || left.add(file.name));
  const files = taken.map((file) => ({
    file,
    name: file.webkitRelativePath.split("/").slice(1).join("/") || file.name,
  }));
  return { files: sorted(files), note: left.note || (inFolder && !files.length ? EMPTY : "") };
}

// Files of what was dropped, and a note on what was left out. Names are relative to the folder, where one was dropped.
export async function dropped(transfer, most) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) {
    const given = chosen(transfer.files);
    return given.files.length ? given : { ...given, note: "What was dropped is no file." };
  }
  const files = [],
    left = new Left();
  async function walk(entry, name, depth) {
    if (entry.isFile) {
      if (depth && !IMAGE_NAME.test(entry.name)) left.add(entry.name);
      else {
        await fileOf(entry).then(
          (file) => files.push({ file, name }),
          () => left.unreadable.push(name),
        );
      }
      return;
    }
    const inner = await entriesOf(entry).catch(() => {
      left.unreadable.push(name);
      return [];
    });
    const prefix = depth === 0 && entries.length === 1 ? "" : `${name}/`;
    for (const one of inner.sort(byName)) {
      if (files.length > most) return; // enough to say that there are too many
      if (!one.name.startsWith(".")) await walk(one, prefix + one.name, depth + 1);
    }
  }
  for (const entry of entries) await walk(entry, entry.name, 0);
  return { files: sorted(files), note: left.note || (files.length ? "" : EMPTY) };
}

async function entriesOf(folder) {
  const reader = folder.createReader(),
    all = [];
  for (let some = await someEntries(reader); some.length; some = await someEntries(reader)) all.push(...some);
  return all;
}

const EMPTY = "There are no images in the folder.";
const MOST_KINDS = 4; // that are named

// What is not taken from folders.
class Left {
  #kinds = new Map(); // how many files, by their extension
  unreadable = []; // names of files and folders that the browser may not or cannot read

  // A file that is no image, by its name; gives false, to filter by.
  add(name) {
    const kind = /\.[^.]+$/.exec(name)?.[0].toLowerCase() ?? "no extension";
    this.#kinds.set(kind, (this.#kinds.get(kind) ?? 0) + 1);
    return false;
  }

  get note() {
    const others = [...this.#kinds.values()].reduce((sum, number) => sum + number, 0);
    const kinds = [...this.#kinds.keys()].sort((a, b) => this.#kinds.get(b) - this.#kinds.get(a)),
      named = kinds.slice(0, MOST_KINDS).join(", ") + (kinds.length > MOST_KINDS ? ", …" : "");
    const told = [];
    if (others) told.push(`${count(others, "file")} of other kinds ${others === 1 ? "was" : "were"} left out (${named}).`);
    const [first] = this.unreadable;
    if (first) told.push(`${count(this.unreadable.length, "name")} cannot be read, the first is ${first}.`);
    return told.join(" ");
  }
}

const byName = (a, b) => a.name.localeCompare(b.name, "en", { numeric: true });
const sorted = (files) => files.sort(byName);

// A name that no other image has: hints and files need each to have its own, and two folders may have the same.
export function ownName(name, taken) {
  let own = name;
  for (let number = 2; taken.has(own); number += 1) own = name.replace(/(\.[^./]*)?$/, ` (${number})$1`);
  return own;
}

// Whether two files are the same one, dropped twice: browsers do not tell where a file lies.
export const isSame = (a, b) => a.name === b.name && a.size === b.size && a.lastModified === b.lastModified;
