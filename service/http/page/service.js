// What the page asks of the service. All addresses are relative, so that it works below any prefix.
import { Failure } from "./dom.js";
import { send } from "./sending.js";

// What somebody at the page can do about a problem, besides what the service says.
const ADVICE = {
  deadline_exceeded:
    "Take fewer images, or have the setting request_timeout raised: what is small is looked for in many parts of each.",
};

export class Service {
  // `key` gives the API key that is shown, or nothing; `locked` is called where one is needed.
  constructor(key, locked) {
    this.key = key;
    this.locked = locked;
  }

  // The model in use and the limits; null where the service does not tell.
  async model() {
    return this.#told("model");
  }

  // Names of the objects that are kept; null where the service keeps none.
  async objects() {
    return (await this.#told("objects"))?.objects ?? null;
  }

  // Boxes and heat maps: the answer's JSON.
  async colocalize(items, fields, options) {
    return this.#asked(
      "POST",
      "colocalize",
      { ...options, body: formOf(items, { ...fields, heatmap: "png", preview: "tiff" }) },
      items,
    );
  }

  // Fits what the images have in common and keeps it under a name.
  async keep(name, items, hints, options) {
    return this.#asked(
      "PUT",
      `objects/${name}`,
      { ...options, body: formOf(items, hints.length ? { hints: JSON.stringify(hints) } : {}) },
      items,
    );
  }

  async remove(name) {
    return this.#asked("DELETE", `objects/${name}`, {});
  }

  // Results as a file: { blob, name }.
  async export(format, body, { label, keepUnflagged, tell }) {
    const query = new URLSearchParams({ format, label, keep_unflagged: keepUnflagged });
    const answer = await this.#answer("POST", `export?${query}`, {
      tell,
      body: JSON.stringify(body),
      headers: { "content-type": "application/json" },
    });
    const name = /filename="(.*?)"/.exec(answer.headers["content-disposition"] ?? "")?.[1] ?? format;
    return { blob: answer.blob, name };
  }

  async #told(url) {
    const answer = await fetch(url, { headers: this.#headers() }).catch(() => null);
    if (answer?.status === 401) this.locked();
    return answer?.ok ? answer.json() : null;
  }

  #headers() {
    const key = this.key();
    return key ? { Authorization: `Bearer ${key}` } : {};
  }

  async #asked(method, url, options, items = []) {
    let answer;
    try {
      answer = await this.#answer(method, url, options);
    } catch (error) {
      if (error instanceof Failure && !error.told) await checkReadable(items);
      throw error;
    }
    return answer.status === 204 ? null : JSON.parse(await answer.blob.text());
  }

  // Sends, and throws a Failure that says who refused and why.
  async #answer(method, url, { headers = {}, ...options }) {
    const answer = await send(method, url, { ...options, headers: { ...headers, ...this.#headers() } });
    if (answer.status < 300) return answer;
    if (answer.status === 401) this.locked();
    const isJson = /[/+]json\b/.test(answer.headers["content-type"] ?? "");
    const problem = isJson ? JSON.parse(await answer.blob.text()) : null;
    const failure = problem?.title
      ? new Failure(problem.title, `${problem.detail} ${ADVICE[problem.code] ?? ""}`.trim())
      : proxyFailure(answer);
    throw Object.assign(failure, { told: true }); // it is known what went wrong
  }
}

function formOf(items, fields) {
  const form = new FormData();
  for (const item of items) form.append("images", item.file, item.name);
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  return form;
}

// Not the service's words: something on the way, most likely a proxy, answered in its place.
function proxyFailure({ status, reason }) {
  const why =
    status === 413
      ? "It takes smaller requests only: send fewer or smaller images, or raise its limit."
      : `It answered with status ${status} ${reason}`.trim() + ".";
  return new Failure("A proxy before the service refused the request", why);
}

// A request also fails where a file is gone since it was chosen; browsers do not say which.
async function checkReadable(items) {
  for (const { file, name } of items) {
    await file
      .slice(0, 1)
      .arrayBuffer()
      .catch(() => {
        throw new Failure(
          `${name} cannot be read`,
          "It may have been moved or changed since. Remove it, and add it again.",
        );
      });
  }
}
