// Cells pasted from a sheet: down the column and to the right, within the rows of one cause.

import { form, placeOf, rows } from "./cells.js";
import { change } from "./steps.js";

/** The cells in `text` as sheets put them on the clipboard: tab-separated, in quotes where need be. */
export function parse(text) {
  const lines = [[]];
  const pattern = /("(?:[^"]|"")*"(?=[\t\r\n]|$)|[^\t\r\n]*)(\t|\r\n|\r|\n|$)/gy;
  for (let found; (found = pattern.exec(text)); ) {
    const [, cell, end] = found;
    lines.at(-1).push(cell.startsWith('"') && cell.endsWith('"') && cell.length > 1 ? cell.slice(1, -1).replaceAll('""', '"') : cell);
    if (end === "") break;
    if (end !== "\t") lines.push([]);
  }
  // A sheet ends the last line, too.
  if (lines.length > 1 && lines.at(-1).length === 1 && lines.at(-1)[0] === "") lines.pop();
  return lines;
}

/** Fill the cells from `start` on with the lines; `{ cells, lines, over, beside }`, the last two for what had no place. */
function fill(start, lines) {
  const { row, index, column } = placeOf(start);
  const texts = [];
  let over = 0;
  let beside = 0;
  lines.forEach((line, down) => {
    const target = rows[index + down];
    if (target?.group !== row.group) { over += 1; return; }
    line.forEach((text, right) => {
      const cell = target.cells[column + right];
      if (cell) texts.push([cell, text.trim()]);
      else beside += 1;
    });
  });
  change(texts);
  return { lines: lines.length - over, over, beside };
}

/** Take what is pasted into a cell; `tell` is called with what became of several lines or columns. */
export function takePaste(tell) {
  form.addEventListener("paste", (event) => {
    const cell = event.target;
    if (!placeOf(cell)) return;
    const lines = parse(event.clipboardData.getData("text/plain"));
    const isOne = lines.length === 1 && lines[0].length === 1;
    // Into the middle of a text, the browser pastes.
    if (isOne && cell.selectionEnd - cell.selectionStart < cell.value.length) return;
    event.preventDefault();
    const { lines: filled, over, beside } = fill(cell, lines);
    if (isOne) return;
    const left = over ? ` ${over} more had no row of this cause left, and were not pasted.` : "";
    const right = beside ? ` ${beside} cells had no column, and were not pasted.` : "";
    tell(`${filled === 1 ? "1 line was" : `${filled} lines were`} pasted.${left}${right}`);
  });
}
