// One request: with progress, which fetch cannot tell of an upload, cancelled by a signal, and tried again where the
// service says when (429, and 503 while it starts).
import { Failure } from "./dom.js";

const LONGEST_WAIT = 600; // seconds in all, after which a person should look

// Sends a request and gives { status, headers, blob }.
// tell.sent(share) while it is sent, tell.waiting(seconds, times) while it waits to be tried again.
export async function send(method, url, { body = null, headers = {}, signal, tell = {} } = {}) {
  for (let times = 1, waited = 0; ; times += 1) {
    const answer = await sendOnce(method, url, body, headers, signal, tell);
    const wait = secondsOf(answer.headers["retry-after"]);
    if (![429, 503].includes(answer.status) || wait === null || waited + wait > LONGEST_WAIT) return answer;
    for (let left = wait; left > 0; left -= 1) {
      tell.waiting?.(left, times);
      await pause(Math.min(left, 1), signal);
    }
    waited += wait;
  }
}

function sendOnce(method, url, body, headers, signal, tell) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const stop = () => request.abort();
    request.open(method, url);
    request.responseType = "blob";
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => { if (event.lengthComputable) tell.sent?.(event.loaded / event.total); };
    request.upload.onload = () => tell.sent?.(1);
    request.onload = () => resolve({ status: request.status, reason: request.statusText, headers: headersOf(request), blob: request.response });
    request.onerror = () => reject(new Failure("The service did not answer", "Is it still running, and reachable from here?"));
    request.onabort = () => reject(new DOMException("cancelled", "AbortError"));
    request.onloadend = () => signal?.removeEventListener("abort", stop);
    if (signal?.aborted) { reject(new DOMException("cancelled", "AbortError")); return; }
    signal?.addEventListener("abort", stop);
    request.send(body);
  });
}

function headersOf(request) {
  const lines = request.getAllResponseHeaders().trim().split(/\r?\n/).filter(Boolean);
  return Object.fromEntries(lines.map((line) => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  }));
}

// Retry-After in seconds: a number, or a date (RFC 9110); null where there is none.
export function secondsOf(value, now = Date.now()) {
  if (!value) return null;
  const seconds = /^\d+$/.test(value) ? Number(value) : Math.ceil((Date.parse(value) - now) / 1000);
  return Number.isFinite(seconds) ? Math.max(seconds, 1) : null;
}

function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => { clearTimeout(timer); reject(new DOMException("cancelled", "AbortError")); };
    const timer = setTimeout(() => { signal?.removeEventListener("abort", stop); resolve(); }, 1000 * seconds);
    signal?.addEventListener("abort", stop, { once: true });
  });
}
