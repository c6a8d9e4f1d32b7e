// Images, results and corrections, kept in this browser (IndexedDB) so that they survive a reload. The API key is not.
//
// One tab keeps: a second one on the same service works without, rather than mixing two sets.

const DAYS = 7; // after which what was kept is removed

const STORES = ["files", "findings", "state"];

const done = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

export class Storage {
  #database = null;

  // Opens the store; `available` says whether anything is kept.
  async open() {
    const name = `colocalize${location.pathname}`; // several services may stand below one host
    if (!(await heldAlone(name))) return;
    const request = indexedDB.open(name, 1);
    request.onupgradeneeded = () => {
      for (const store of STORES) request.result.createObjectStore(store);
    };
    this.#database = await done(request).catch(() => null); // private windows of some browsers have none
  }

  get available() {
    return this.#database !== null;
  }

  // { state, images }, as they were kept; null where nothing is, or what is is too old.
  async load() {
    if (!this.available) return null;
    const state = await done(this.#store("state", "readonly").get("state"));
    if (!state || Date.now() - state.saved > DAYS * 86_400_000) {
      await this.clear();
      return null;
    }
    const [files, findings] = await Promise.all(["files", "findings"].map((name) => this.#all(name)));
    const inOrder = new Set([...state.order, ...files.keys()]); // with what was added before the tab was cut off
    const known = [...inOrder].filter((id) => files.has(id));
    return { state, images: known.map((id) => ({ id, ...files.get(id), ...findings.get(id) })) };
  }

  // An image as it was added. Throws where there is no room.
  async saveFile({ id, file, name }) {
    if (this.available) await done(this.#store("files").put({ file, name }, id));
  }

  // What was found in it and said of it: apart, since that changes with every correction and the file does not.
  async saveFindings({ id, result, heat, preview, said }) {
    if (this.available) await done(this.#store("findings").put({ result, heat, preview, said }, id));
  }

  async remove(id) {
    if (!this.available) return;
    await Promise.all(["files", "findings"].map((name) => done(this.#store(name).delete(id))));
  }

  async saveState(state) {
    if (this.available) await done(this.#store("state").put({ ...state, saved: Date.now() }, "state"));
  }

  async clear() {
    if (!this.available) return;
    await Promise.all(STORES.map((name) => done(this.#store(name).clear())));
  }

  // All that a store holds, by the image's id.
  async #all(name) {
    const store = this.#store(name, "readonly");
    const [keys, values] = await Promise.all([done(store.getAllKeys()), done(store.getAll())]);
    return new Map(keys.map((key, index) => [key, values[index]]));
  }

  #store(name, mode = "readwrite") {
    return this.#database.transaction(name, mode).objectStore(name);
  }
}

// Whether this is the only tab; held until it is closed. Without the Web Locks (plain HTTP) nobody can tell.
function heldAlone(name) {
  if (!navigator.locks) return Promise.resolve(true);
  return new Promise((resolve) => {
    // A moment of patience: while a page is loaded again, its old self may not be gone yet.
    navigator.locks
      .request(name, { signal: AbortSignal.timeout(1500) }, () => {
        resolve(true);
        return new Promise(() => {});
      })
      .catch(() => resolve(false));
  });
}
