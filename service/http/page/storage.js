// Images, results and corrections, kept in this browser (IndexedDB) so that they survive a reload. The API key is not.
//
// One tab keeps: a second one on the same service works without, rather than mixing two sets.

const DAYS = 7; // after which what was kept is removed

const done = (request) => new Promise((resolve, reject) => {
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});

export class Storage {
  #database = null;

  // Opens the store; `available` says whether anything is kept.
  async open() {
    const name = `colocalize${location.pathname}`; // several services may stand below one host
    if (!await heldAlone(name)) return;
    const request = indexedDB.open(name, 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore("images", { keyPath: "id" });
      request.result.createObjectStore("state");
    };
    this.#database = await done(request).catch(() => null); // private windows of some browsers have none
  }

  get available() { return this.#database !== null; }

  // { state, images }, as they were kept; null where nothing is, or what is is too old.
  async load() {
    if (!this.available) return null;
    const state = await done(this.#store("state", "readonly").get("state"));
    if (!state || Date.now() - state.saved > DAYS * 86_400_000) { await this.clear(); return null; }
    const images = new Map((await done(this.#store("images", "readonly").getAll())).map((image) => [image.id, image]));
    return { state, images: state.order.map((id) => images.get(id)).filter(Boolean) };
  }

  // Throws where there is no room.
  async saveImage({ id, file, name, result, heat, preview, said }) {
    if (this.available) await done(this.#store("images").put({ id, file, name, result, heat, preview, said }));
  }

  async removeImage(id) {
    if (this.available) await done(this.#store("images").delete(id));
  }

  async saveState(state) {
    if (this.available) await done(this.#store("state").put({ ...state, saved: Date.now() }, "state"));
  }

  async clear() {
    if (!this.available) return;
    await Promise.all([done(this.#store("images").clear()), done(this.#store("state").clear())]);
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
    navigator.locks.request(name, { signal: AbortSignal.timeout(1500) }, () => { resolve(true); return new Promise(() => {}); })
      .catch(() => resolve(false));
  });
}
