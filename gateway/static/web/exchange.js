// One request whose body's way can be watched, which fetch() does not tell of.

/**
 * What is answered: `{ status, answer, retryAfter, header }`, with a status of 0 where nothing is.
 * `onProgress` hears how many bytes are sent; `signal` ends it.
 */
export function exchange(method, path, { headers = {}, body = null, signal, onProgress = () => {} }) {
  const request = new XMLHttpRequest();
  request.upload.addEventListener("progress", ({ loaded }) => onProgress(loaded));
  request.open(method, path);
  for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
  const stop = () => request.abort();
  signal.addEventListener("abort", stop);
  return new Promise((done) => {
    request.addEventListener("loadend", () => {
      signal.removeEventListener("abort", stop);
      done({
        status: request.status,
        answer: parsed(request.responseText),
        retryAfter: Number(request.getResponseHeader("Retry-After")) || 0,
        header: (name) => request.getResponseHeader(name),
      });
    });
    request.send(body);
  });
}

function parsed(text) {
  try { return JSON.parse(text); } catch { return null; }
}
