// Follows an upload until it is final: by events, and by asking where there are none.

import { fetchUpload, pause, tellSession } from "./api.js";
import { isFinal } from "./upload.js";

const SHORTEST_PAUSE = 400;
const LONGEST_PAUSE = 3000;

/** Call `take` with the upload at each change; resolves when it is final. */
export async function follow(id, take) {
  for (let wait = SHORTEST_PAUSE; ; await pause(wait)) {
    const streamed = await byEvents(id, take);
    if (streamed && isFinal(streamed.state)) return;
    // The stream broke, or there was no place for one more: see how it stands, then try anew.
    const asked = await fetchUpload(id);
    if (asked) take(asked);
    if (asked && isFinal(asked.state)) return;
    wait = streamed || asked ? SHORTEST_PAUSE : Math.min(wait * 2, LONGEST_PAUSE);
  }
}

/** The last upload that the stream told of when it ended, or null. */
function byEvents(id, take) {
  return new Promise((done) => {
    let last = null;
    const events = new EventSource(`/v1/uploads/${id}/events`);
    const end = () => { events.close(); done(last); };
    events.addEventListener("open", () => tellSession(200));
    events.addEventListener("upload", ({ data }) => {
      last = JSON.parse(data);
      take(last);
      if (isFinal(last.state)) end();
    });
    events.addEventListener("error", end);
  });
}
