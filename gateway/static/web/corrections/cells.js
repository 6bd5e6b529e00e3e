// The rejected rows as a sheet: their cells, what may be in a column, and how a cell is found.

export const form = document.getElementById("corrections");

const isCell = ({ name }) => /^c\d/.test(name);

/** Each row that can be corrected, in the order of the page: its element and its fields, left to right. */
export const rows = [...form.querySelectorAll("tr[data-line]")].map((element) => ({
  element,
  line: element.dataset.line,
  cause: element.dataset.cause,
  group: element.parentElement,
  cells: [...element.querySelectorAll("input")].filter(isCell),
  again: element.querySelector("input[type=checkbox]"),
}));

/** Of each column: its name in the table, and the table whose keys it holds, if any. */
export const columns = [...form.querySelectorAll("thead th")].slice(1).map(({ dataset }) => dataset);

const places = new Map(rows.flatMap((row, index) =>
  row.cells.map((cell, column) => [cell, { row, index, column }])));

/** Where a cell is: `{ row, index, column }`; undefined of any other element. */
export const placeOf = (element) => places.get(element);

/** The table whose keys the cell holds, if any. */
export const parentOf = (cell) => columns[placeOf(cell).column].parent;

export const isChanged = (cell) => cell.value !== cell.defaultValue;

/** Whether the row is to be sent: something in it was changed, or it may replace another. */
export const isTouched = (row) => row.cells.some(isChanged) || Boolean(row.again?.checked);

/** Put the focus into a cell, as a sheet does: what is typed next replaces what it holds. */
export function enter(cell) {
  cell.focus();
  cell.select();
}
