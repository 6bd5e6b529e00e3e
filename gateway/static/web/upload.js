// Shows an upload, as the API tells it, in the elements of a page that are made for its fields.

const WORDS = JSON.parse(document.body.dataset.words ?? "{}");
const RULES = new Intl.PluralRules("en", { type: "ordinal" });
const ENDINGS = { one: "st", two: "nd", few: "rd", other: "th" };
const UNFINISHED = new Set(["queued", "validating", "loading"]);

export const isFinal = (state) => !UNFINISHED.has(state);

/** What the page calls the state of an upload. */
export const wordFor = ({ kind, state }) => WORDS[`${kind} ${state}`] ?? WORDS[state] ?? state;

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
