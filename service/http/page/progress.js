// A request on its way: a bar, words, and a button that cancels it.
import { byId, count, percent, together } from "./dom.js";

export class Progress {
  #controller = null;
  #timer = null;

  constructor() {
    byId("cancel").addEventListener("click", () => this.cancel());
  }

  get isRunning() {
    return this.#controller !== null;
  }

  cancel() {
    this.#controller?.abort();
  }

  // Runs `work(signal, tell)` with the bar shown; one at a time, the one before is cancelled. `doing` says what is
  // done.
  async during(doing, work) {
    this.cancel();
    const mine = (this.#controller = new AbortController());
    byId("progress").hidden = false;
    this.#say(`Sending, ${percent(0)}`, 0);
    const tell = {
      sent: (share) => {
        if (share < 1) this.#say(`Sending, ${percent(share)}`, share);
        else this.#wait(doing);
      },
      waiting: (seconds, times) => {
        clearInterval(this.#timer);
        this.#say(
          `The service is busy: trying again in ${count(seconds, "second")}` +
            (times > 1 ? ` (tried ${times} times)` : "") +
            ".",
        );
      },
    };
    try {
      return await work(mine.signal, tell);
    } finally {
      if (this.#controller === mine) {
        clearInterval(this.#timer);
        this.#controller = null;
        byId("progress").hidden = true;
      }
    }
  }

  // Everything is sent; how long the rest takes, nobody knows.
  #wait(doing) {
    clearInterval(this.#timer);
    const begun = Date.now();
    this.#say(`${doing} …`);
    this.#timer = setInterval(() => this.#say(`${doing} … ${together(Math.round((Date.now() - begun) / 1000), "s")}`), 1000);
  }

  #say(words, share = null) {
    byId("progress-words").textContent = words;
    if (share === null) byId("progress-bar").removeAttribute("value");
    else byId("progress-bar").value = share;
  }
}
