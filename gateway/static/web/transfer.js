// One file on its way to the API. What fails only for the moment is tried again, as the same upload.

import { pause, tellSession } from "./api.js";
import { exchange } from "./exchange.js";
import { Parts } from "./parts.js";

// In seconds; together longer than the 30 for which a try that died keeps its key.
const PAUSES = [1, 2, 4, 8, 15, 15];
// A longer wait, such as one for tomorrow, is for who sends the file to decide.
const LONGEST_WAIT = 300;
const PASSING = new Set([0, 429, 502, 503, 504]);
const form = document.getElementById("send");

// What has begun to arrive in parts, by its file: when it is sent again likewise, it goes on.
const begun = new WeakMap();

/**
 * Send `file` with the parameters `query`; `{ status, answer, passes }` of the API. The status is 0
 * where nothing answered, and null where the file can't be read; `passes` tells whether a later try
 * may do better. `onProgress` hears what share of the file is sent, `onPause` what was answered and
 * in how many seconds it is tried again.
 */
export async function transfer(file, query, { signal, onProgress, onPause }) {
  const sending = sendingOf(file, query);
  let pauses = [...PAUSES];
  for (;;) {
    const result = await sending.goOn(signal, onProgress);
    if (result.status) tellSession(result.status);
    if (signal.aborted) return end(sending, result);
    if (result.status === 0 && !(await isReadable(file))) return end(sending, { status: null, answer: null });
    result.passes = passes(result);
    // The patience is for a line that carries nothing.
    if (result.moved) pauses = [...PAUSES];
    const seconds = pauses.shift();
    if (!result.passes && result.status !== 401) return end(sending, result);
    if (!result.passes || seconds === undefined) return result;
    const wait = Math.max(seconds, result.retryAfter);
    onPause(result, wait);
    await Promise.race([pause(wait * 1000), aborted(signal)]);
    if (signal.aborted) return end(sending, result);
  }
}

function passes({ status, answer, retryAfter }) {
  if (retryAfter > LONGEST_WAIT) return false;
  return PASSING.has(status) || (status === 409 && (retryAfter > 0 || Boolean(answer?.type?.endsWith("#mismatching-upload-offset"))));
}

/** The way on which the file is sent: that on which a part of it has arrived, or a new one. */
function sendingOf(file, query) {
  const known = begun.get(file);
  if (known?.query === String(query)) return known;
  known?.giveUp();
  const headers = {
    "Content-Type": file.name.toLowerCase().endsWith(".gz") ? "application/gzip" : "text/csv",
    "Idempotency-Key": crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`,
  };
  if (file.size <= Number(form.dataset.whole)) return atOnce(file, query, headers);
  begun.set(file, new Parts(file, String(query), headers));
  return begun.get(file);
}

/** Sent whole, from its beginning at each try. */
const atOnce = (file, query, headers) => ({
  file,
  goOn: (signal, onProgress) => exchange("POST", `/v1/uploads?${query}`, {
    headers,
    body: file,
    signal,
    onProgress: (loaded) => onProgress(loaded / (file.size || 1)),
  }),
});

/** It goes on no more: it was taken, refused or stopped. */
function end(sending, result) {
  begun.delete(sending.file);
  if (result.status !== 200 && result.status !== 202) sending.giveUp?.();
  return result;
}

const aborted = (signal) => new Promise((done) => signal.addEventListener("abort", done, { once: true }));

/** Whether the file is still as it was when it was chosen; a folder never is. */
async function isReadable(file) {
  try {
    await file.slice(0, 1).arrayBuffer();
    return true;
  } catch {
    return false;
  }
}
