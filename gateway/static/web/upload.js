// Shows an upload, as the API tells it, in the elements of a page that are made for its fields.

const WORDS = JSON.parse(document.body.dataset.words ?? "{}");
const RULES = new Intl.PluralRules("en", { type: "ordinal" });
const ENDINGS = { one: "st", two: "nd", few: "rd", other: "th" };
const UNFINISHED = new Set(["queued", "validating", "loading"]);

export const isFinal = (state) => !UNFINISHED.has(state);

const loadedNothing = (kind, state, rows) => {
  const isWithout = state === "completed_with_rejects" || (state === "completed" && !rows.read);
  return kind === "upload" && isWithout && !(rows.inserted + rows.updated) ? WORDS["nothing loaded"] : null;
};

/** What the page calls the state of an upload: never loaded, where nothing was. */
export const wordFor = ({ kind, state, rows }) => loadedNothing(kind, state, rows) ?? WORDS[`${kind} ${state}`] ?? WORDS[state] ?? state;

/** A number of rows as people read it. */
export const inDigits = (number) => number.toLocaleString("en-US");

/** The place in the queue as people say it; the last that is counted stands for all behind it. */
function standing(place) {
  if (!place) return "";
  const { position } = place;
  const ending = ENDINGS[RULES.select(position)];
  return `${inDigits(position)}${ending}${position === 1000 ? " or later" : ""} in the queue`;
}

/** What became of the rows of an undo. */
function undone(rows) {
  const found = ["removed", "restored", "kept", "blocked"].filter((name) => rows[name]);
  const words = found.map((name) => `${inDigits(rows[name])} ${name}`).join(", ") || "0 removed";
  return words.replace(" ", rows[found[0]] === 1 ? " row " : " rows ");
}

/** How far a load is: its rows, its share, and about how long it still takes, once that shows. */
function pace({ state, rows, progress, started_at: began }) {
  if (isFinal(state) || !progress) return "";
  const seconds = (Date.now() - Date.parse(began)) / 1000;
  const parts = rows.read ? [`${inDigits(rows.read)} rows so far`] : [];
  parts.push(`${Math.floor(progress * 100)} %`);
  if (seconds > 2 && progress > 0.03) parts.push(timeLeft((seconds * (1 - progress)) / progress));
  return parts.join(" · ");
}

function timeLeft(seconds) {
  if (seconds < 90) return `about ${Math.max(1, Math.round(seconds / 5) * 5)} seconds left`;
  return `about ${Math.round(seconds / 60)} minutes left`;
}

/** Put the fields of `upload` into the parts of `element` that are named after them. */
export function show(element, upload) {
  element.dataset.state = upload.state;
  const { rows } = upload;
  const texts = { ...rows, loaded: rows.inserted + rows.updated };
  for (const part of element.querySelectorAll("[data-field]")) {
    const name = part.dataset.field;
    if (name === "state") {
      part.textContent = wordFor(upload);
      part.className = `badge ${upload.state}`;
    } else if (name === "undone") {
      part.textContent = isFinal(upload.state) ? undone(rows) : "";
    } else if (name === "progress") {
      part.value = upload.progress;
    } else if (name === "pace") {
      part.textContent = pace(upload);
    } else if (name === "queue") {
      part.textContent = standing(upload.queue);
      part.hidden = !upload.queue;
    } else if (name === "waiting") {
      part.textContent = upload.error?.detail ?? "";
      part.hidden = !upload.error;
    } else {
      part.textContent = inDigits(texts[name]);
    }
  }
}
