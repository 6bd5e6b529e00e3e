// One file on its way to the API. What fails only for the moment is tried again, as the same upload.

import { pause, tellSession } from "./api.js";

// In seconds; together longer than the 30 for which a try that died keeps its key.
const PAUSES = [1, 2, 4, 8, 15, 15];
// A longer wait, such as one for tomorrow, is for who sends the file to decide.
const LONGEST_WAIT = 300;
const PASSING = new Set([0, 429, 502, 503, 504]);

/**
 * Send `file` with the parameters `query`; `{ status, answer, passes }` of the API. The status is 0
 * where nothing answered, and null where the file can't be read; `passes` tells whether a later try
 * may do better. `onProgress` hears what share of the file is sent, `onPause` what was answered and
 * in how many seconds it is tried again.
 */
export async function transfer(file, query, { signal, onProgress, onPause }) {
  const key = crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;
  for (const seconds of [...PAUSES, null]) {
    const result = await post(file, query, key, signal, onProgress);
    if (result.status) tellSession(result.status);
    if (signal.aborted) return result;
    if (result.status === 0 && !(await isReadable(file))) return { status: null, answer: null };
    result.passes = PASSING.has(result.status) || (result.status === 409 && result.retryAfter > 0);
    if (result.retryAfter > LONGEST_WAIT) result.passes = false;
    if (!result.passes || seconds === null) return result;
    const wait = Math.max(seconds, result.retryAfter);
    onPause(result, wait);
    await Promise.race([pause(wait * 1000), aborted(signal)]);
    if (signal.aborted) return result;
  }
}

function post(file, query, key, signal, onProgress) {
  const request = new XMLHttpRequest();
  request.upload.addEventListener("progress", ({ loaded, total }) => onProgress(loaded / (total || 1)));
  request.open("POST", `/v1/uploads?${query}`);
  request.setRequestHeader("Content-Type", file.name.toLowerCase().endsWith(".gz") ? "application/gzip" : "text/csv");
  request.setRequestHeader("Idempotency-Key", key);
  const stop = () => request.abort();
  signal.addEventListener("abort", stop);
  return new Promise((done) => {
    request.addEventListener("loadend", () => {
      signal.removeEventListener("abort", stop);
      done({
        status: request.status,
        answer: parsed(request.responseText),
        retryAfter: Number(request.getResponseHeader("Retry-After")) || 0,
      });
    });
    request.send(file);
  });
}

const aborted = (signal) => new Promise((done) => signal.addEventListener("abort", done, { once: true }));

function parsed(text) {
  try { return JSON.parse(text); } catch { return null; }
}

/** Whether the file is still as it was when it was chosen; a folder never is. */
async function isReadable(file) {
  try {
    await file.slice(0, 1).arrayBuffer();
    return true;
  } catch {
    return false;
  }
}
