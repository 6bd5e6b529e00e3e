// Questions to the API, and the two banners: that I am signed out, and that Muster does not answer.

const signedOut = document.getElementById("signed-out");
const away = document.getElementById("away");

export const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

/** Show on the page what the `status` of an answer says of my session; 0 is no answer. */
export function tellSession(status) {
  signedOut.hidden = status !== 401;
  away.hidden = status !== 0;
}

/** What the API answers, or null where there is no answer of use. */
export async function ask(path, options) {
  try {
    const answer = await fetch(path, options);
    const told = answer.ok ? await answer.json() : null;
    tellSession([502, 503, 504].includes(answer.status) ? 0 : answer.status);
    return told;
  } catch {
    tellSession(0); // the gateway is away for a moment, maybe since the middle of an answer
    return null;
  }
}

/** The upload as it is now, or null where it can't be had. */
export const fetchUpload = (id) => ask(`/v1/uploads/${id}`);
