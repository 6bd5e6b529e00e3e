// Find and replace in the cells.

import { rows } from "./cells.js";
import { change } from "./steps.js";

const form = document.getElementById("replace");
const count = document.getElementById("replaceable");
const { find, column, replacement, whole, all } = form.elements;

/** What is looked for; null while it is nothing: cells that are blank are not all the same. */
function pattern() {
  const text = find.value.trim().replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  if (!text) return null;
  return new RegExp(whole.checked ? `^\\s*${text}\\s*$` : text, "giu");
}

/** The cells that hold it, `[[cell, text after], …]`. */
function found() {
  const wanted = pattern();
  if (!wanted) return [];
  return rows.flatMap(({ cells }) => (column.value ? [cells[column.value]] : cells))
    .filter(({ value }) => value.search(wanted) >= 0)
    .map((cell) => [cell, cell.value.replace(wanted, () => replacement.value)]);
}

function show() {
  const { length } = found();
  all.disabled = !length;
  count.textContent = !pattern() ? "" : length === 1 ? "In 1 cell." : `In ${length || "no"} cells.`;
}

/** `tell` is called with what was replaced. */
export function takeReplacement(tell) {
  form.addEventListener("input", show);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const cells = change(found());
    tell(cells === 1 ? "1 cell was replaced." : `${cells} cells were replaced.`);
    show();
  });
}
