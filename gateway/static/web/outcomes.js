// What is said of a file on its way: why it was refused, and what became of its rows.

import { inWords } from "./reasons.js";
import { inDigits } from "./upload.js";

const REFUSALS = new Map([
  [null, "The file can't be read: it was changed or moved since it was chosen, or is a folder. Choose it again."],
  [0, "Muster does not answer. Is the network there?"],
  [401, "You are signed out. Sign in again, then press Upload."],
  [403, "You may no longer upload files. Ask whoever manages the users."],
  [502, "Muster does not answer just now."],
  [504, "Muster does not answer just now."],
]);

/** Why the API refused a file, in words. */
export function refusal({ status, answer, passes }) {
  if (status === 409 && passes) return "Muster still holds the first try of this file.";
  if (status === 429) return reasonIn(answer) ?? "Muster was asked too much for now.";
  return REFUSALS.get(status) ?? reasonIn(answer) ?? `The server answered ${status}, and did not say why.`;
}

function reasonIn(answer) {
  const text = answer?.errors?.map(({ message }) => message).join("; ") ?? answer?.detail;
  return text && text[0].toUpperCase() + text.slice(1);
}

/** What became of the rows of a final upload. */
export function outcome({ state, rows, error, warnings_total: warnings, impact }) {
  if (state === "failed") return inWords(error.detail);
  if (state === "cancelled") return "Nothing was loaded.";
  const loaded = inDigits(rows.inserted + rows.updated);
  const others = [[rows.unchanged, "unchanged"], [rows.rejected, "rejected"]]
    .filter(([number]) => number).map(([number, word]) => `, ${inDigits(number)} ${word}`).join("");
  const would = state === "validated" ? "would be " : "";
  const check = warnings ? ` Please check: ${warnings === 1 ? "1 warning" : `${inDigits(warnings)} warnings`}.` : "";
  return `${rows.read === 1 ? "1 row" : `${inDigits(rows.read)} rows`}: ${loaded} ${would}loaded${others}.${changed(impact, would)}${check}`;
}

/** The largest of the numbers that change in the answers, and how many others do. */
function changed(impact, would) {
  if (!impact?.hires.length) return "";
  const { department, year, quarter, before, after } = impact.hires[0];
  const others = impact.hires_total - 1;
  const more = others ? `, and ${inDigits(others)} more ${others === 1 ? "number" : "numbers"} ${would ? "would change" : "changed"}` : "";
  return ` ${department}, Q${quarter} ${year}: ${inDigits(before)} → ${inDigits(after)}${more}.`;
}

/** How an outcome looks. */
export const kindOf = ({ state, rows, warnings_total: warnings }) =>
  state === "failed" ? "complaint" : state === "cancelled" || rows.rejected || warnings ? "note" : "success";
