// What the columns of a file mean where its own names don't say: as people chose it, and remembered.

const STORED = "muster-columns";
const MOST = 30;

/** What stands for a column that is passed over. */
export const PASSED_OVER = "-";

/** The option `columns` of an upload: one CSV record of names and the columns that they mean. */
export function asOption(columns) {
  const cell = ([name, column]) => `"${`${name}:${column === PASSED_OVER ? "" : column}`.replaceAll('"', '""')}"`;
  return [...columns].map(cell).join(",");
}

/** What was chosen for the last file of the table with these names, or null. */
export function recall(table, names) {
  const found = stored().find((each) => isOf(each, table, names));
  return found ? new Map(found.columns) : null;
}

/** Keep what was chosen for the next file with these names, or forget it where nothing was. */
export function remember(table, names, columns) {
  const others = stored().filter((each) => !isOf(each, table, names));
  const kept = columns.size ? [{ table, names, columns: [...columns] }, ...others] : others;
  try {
    localStorage.setItem(STORED, JSON.stringify(kept.slice(0, MOST)));
  } catch { /* where there is no room, people choose again */ }
}

const isOf = (each, table, names) => each.table === table && JSON.stringify(each.names) === JSON.stringify(names);

function stored() {
  try {
    const found = JSON.parse(localStorage.getItem(STORED));
    return Array.isArray(found) ? found.filter(({ names, columns }) => Array.isArray(names) && Array.isArray(columns)) : [];
  } catch {
    return [];
  }
}
