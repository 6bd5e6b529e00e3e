// What a row and its cells show: what is wrong, or that the row is right and counts no more.

import { columns, isChanged, isTouched, parentOf, rows } from "./cells.js";
import { nameOf } from "./parents.js";

/** The rows that would be loaded now. */
export const right = new Set();
/** The touched rows that would be rejected again. */
export const wrong = new Set();
/** Of each wrong cell, what may have been meant: `[{ value, name }]`. */
export const suggested = new Map();

// What the page said of each cell when it came.
const first = new Map(rows.flatMap(({ cells }) => cells.map((cell) => {
  const fault = document.getElementById(cell.getAttribute("aria-describedby"));
  return [cell, { isBad: cell.hasAttribute("aria-invalid"), described: fault?.id ?? null,
    text: cell.parentElement.querySelector(".fault")?.textContent ?? "" }];
})));

/** Show the row as it came, but for the texts in it, as nothing is known of them. */
export function showUnchecked(row) {
  settle(row, null);
  for (const cell of row.cells) {
    if (isChanged(cell)) mark(cell, false, "", null);
    else markAsItCame(cell);
  }
  addSuggestions(row, [], null);
}

/**
 * Show what is wrong with the row, `[{ column, message, suggestions }]`; nothing if it is right.
 * `choose(cell, value)` is called where a suggestion is meant.
 */
export function showChecked(row, faults, choose) {
  const isRight = !faults.length && !isKeyStillTaken(row);
  if (isTouched(row) || (isRight && row.cause === "foreign-key")) {
    settle(row, isRight);
    row.cells.forEach((cell, index) => {
      const fault = faults.find(({ column }) => column === columns[index].column);
      if (fault) mark(cell, true, fault.message, null);
      else if (!isRight && !faults.length) markAsItCame(cell);
      else mark(cell, false, "", null);
    });
  }
  addSuggestions(row, faults, choose);
}

/** A key that was taken is still, unless it is another now or its row is to be replaced. */
function isKeyStillTaken({ cause, cells, again }) {
  return cause === "primary-key" && !again?.checked && !cells.some((cell) => first.get(cell).isBad && isChanged(cell));
}

function settle(row, isRight) {
  right.delete(row);
  wrong.delete(row);
  if (isRight !== null) (isRight ? right : wrong).add(row);
  row.element.classList.toggle("corrected", isRight === true);
}

function markAsItCame(cell) {
  const { isBad, text, described } = first.get(cell);
  mark(cell, isBad, text, described);
}

function mark(cell, isBad, text, described) {
  const place = cell.parentElement;
  place.classList.toggle("bad", isBad);
  cell.classList.toggle("changed", isChanged(cell));
  if (isBad) cell.setAttribute("aria-invalid", "true");
  else cell.removeAttribute("aria-invalid");
  const said = text || (isChanged(cell) && !isBad && parentOf(cell) ? nameOf(parentOf(cell), cell.value) ?? "" : "");
  const line = place.querySelector(".fault") ?? (said && newLine(cell));
  if (line) {
    line.textContent = said;
    line.hidden = !said;
    line.classList.toggle("name", !isBad);
  }
  const id = said ? line.id : described;
  if (id) cell.setAttribute("aria-describedby", id);
  else cell.removeAttribute("aria-describedby");
}

function newLine(cell) {
  const line = document.createElement("p");
  line.className = "fault";
  line.id = `f${cell.name.slice(1)}`;
  cell.after(line);
  return line;
}

/** Ask below each bad cell whether what nearly matches was meant, and no longer say how to write it. */
function addSuggestions(row, faults, choose) {
  row.cells.forEach((cell, index) => {
    const place = cell.parentElement;
    place.querySelector(".meant")?.remove();
    suggested.delete(cell);
    const suggestions = faults.find(({ column }) => column === columns[index].column)?.suggestions ?? [];
    if (!suggestions.length) return;
    suggested.set(cell, suggestions);
    const question = document.createElement("p");
    question.className = "meant";
    question.id = `m${cell.name.slice(1)}`;
    question.append("Did you mean ");
    suggestions.forEach(({ value, name }, at) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "quiet";
      button.textContent = name && columns[index].parent ? `${name} (${value})` : name ?? value;
      button.addEventListener("click", () => choose(cell, value));
      question.append(at ? " or " : "", button);
    });
    question.append("?");
    place.append(question);
    place.querySelector(".fault")?.setAttribute("hidden", "");
    cell.setAttribute("aria-describedby", question.id);
  });
}
