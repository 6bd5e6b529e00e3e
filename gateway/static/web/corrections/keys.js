// Moving between the cells with the keyboard, as in a sheet.

import { enter, form, placeOf, rows } from "./cells.js";
import { redo, restore, undo } from "./steps.js";

const ROW_KEYS = { ArrowUp: -1, ArrowDown: 1 };

function move(event) {
  const place = placeOf(event.target);
  if (event.key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey)) {
    // The browser's own undo knows nothing of cells that were filled.
    if (place && (event.shiftKey ? redo() : undo())) event.target.select();
  } else if (event.key.toLowerCase() === "y" && event.ctrlKey) {
    if (place) redo();
  } else if (!place || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) {
    return;
  } else if (event.key in ROW_KEYS) {
    go(rows[place.index + ROW_KEYS[event.key]]?.cells[place.column]);
  } else if (event.key === "Enter") {
    go(event.shiftKey ? rows[place.index - 1]?.cells[place.column] : below(place));
  } else if (event.key === "Escape") {
    if (!restore(event.target)) return;
  } else if (!goAside(event, place)) {
    return;
  }
  event.preventDefault();
}

const go = (element) => element && (placeOf(element) ? enter(element) : element.focus());

/** The cell below; after the last row of a cause the first bad cell of the next one; in the end the button to send. */
function below({ row, index, column }) {
  const next = rows[index + 1];
  if (!next) return document.getElementById("send-corrections");
  if (next.group === row.group) return next.cells[column];
  return next.group.querySelector("[aria-invalid=true]") ?? next.cells[column];
}

/** Left and right leave a cell at the ends of its text, or where all of it is selected. */
function goAside({ key, shiftKey, target }, { row, column }) {
  if (shiftKey || (key !== "ArrowLeft" && key !== "ArrowRight")) return false;
  const { selectionStart: start, selectionEnd: end, value } = target;
  const isAll = start === 0 && end === value.length;
  const step = key === "ArrowLeft" ? -1 : 1;
  if (!isAll && !(start === end && start === (step < 0 ? 0 : value.length))) return false;
  go(row.cells[column + step]);
  return true;
}

// Whatever else listens to a cell's keys, such as its list of names, comes first.
form.addEventListener("keydown", (event) => { if (!event.defaultPrevented) move(event); });
