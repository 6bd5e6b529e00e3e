// The API's check of corrected rows, before they are sent.

import { ask } from "../api.js";
import { inWords } from "../reasons.js";
import { columns, form, isTouched, rows } from "./cells.js";

const PAUSE = 250;
const { table, dates } = form.dataset;
let waiting = null;
let running = null;

const asObject = ({ cells }) => Object.fromEntries(
  columns.flatMap(({ column }, index) => (column ? [[column, cells[index].value]] : [])));
const textOf = (row) => JSON.stringify(row.cells.map(({ value }) => value));

const names = columns.flatMap(({ column, heading, parent, parentTitle }) => [[column, heading], [parent, parentTitle]]);

/**
 * Have the `chosen` rows checked, and `take(row, faults)` called for each:
 * `[{ column, message, suggestions }]`, none where it is right. A row that was changed meanwhile is left out.
 */
async function check(take, chosen) {
  if (!chosen.length) return;
  const texts = chosen.map(textOf);
  const answer = await ask(`/v1/tables/${table}/check?dates=${dates}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(chosen.map(asObject)),
  });
  if (!answer) return;
  const faults = chosen.map(() => []);
  for (const error of answer.errors) faults[error.row - 1].push({ ...error, message: inWords(error.message, names) });
  chosen.forEach((row, index) => { if (textOf(row) === texts[index]) take(row, faults[index]); });
}

/** Check the rows whose bad cells hold something, as they came: it may be right by now, or a suggestion be near. */
export const checkAsTheyCame = (take) => check(take, rows.filter(({ cells }) =>
  cells.some((cell) => cell.value && cell.hasAttribute("aria-invalid"))));

/** Check the touched rows once nothing was changed for a moment. */
export function checkSoon(take) {
  clearTimeout(waiting);
  waiting = setTimeout(() => checkNow(take), PAUSE);
}

/** Check the touched rows; a check that is under way is waited for. */
export async function checkNow(take) {
  clearTimeout(waiting);
  waiting = null;
  await running;
  running = check(take, rows.filter(isTouched));
  await running;
}
