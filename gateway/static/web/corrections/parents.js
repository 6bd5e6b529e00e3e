// The rows that foreign keys refer to, by name.

import { ask, pause } from "../api.js";
import { form } from "./cells.js";

const MOST = 1000;
// In milliseconds, while Muster is too busy to answer.
const PAUSES = [500, 1000, 2000];
const SHOWN = 50;
const asked = new Map();
const known = new Map();
// Tables with more rows than were read at once.
const large = new Set();

/** The parents of a table, `[{ key, name }]`: the first thousand. None where they can't be had. */
export function parentsOf(table) {
  if (!asked.has(table)) asked.set(table, read(table));
  return asked.get(table);
}

async function read(table) {
  if (!("names" in form.dataset)) return [];
  const [declared, page] = await Promise.all([
    askAgain(`/v1/tables/${table}`), askAgain(`/v1/tables/${table}/rows?limit=${MOST}`)]);
  if (!declared || !page) {
    asked.delete(table);
    return [];
  }
  if (page.next) large.add(table);
  const parents = page.rows.map((row) => parentIn(row, declared));
  known.set(table, new Map(parents.map((parent) => [parent.key, parent.name])));
  return parents.sort((one, other) => one.name.localeCompare(other.name, "en"));
}

async function askAgain(path) {
  for (const milliseconds of PAUSES) {
    const answer = await ask(path);
    if (answer) return answer;
    await pause(milliseconds);
  }
  return ask(path);
}

function parentIn(row, { fields, primaryKey }) {
  const text = fields.find(({ type }) => type === "string")?.name;
  return { key: String(row[[primaryKey].flat()[0]]), name: text ? row[text] : "" };
}

/** Those parents of a large table whose name begins with the text. */
async function search(table, text) {
  if (!large.has(table) || !text) return [];
  const query = new URLSearchParams({ search: text, limit: SHOWN });
  const [declared, page] = await Promise.all([ask(`/v1/tables/${table}`), ask(`/v1/tables/${table}/rows?${query}`)]);
  if (!declared || !page) return [];
  const parents = page.rows.map((row) => parentIn(row, declared));
  for (const { key, name } of parents) known.get(table).set(key, name);
  return parents;
}

/** The name of the parent with the key, if it is known already. */
export const nameOf = (table, key) => known.get(table)?.get(key.trim());

/** At most fifty parents whose name or key has the text: first those that begin with it. */
export async function find(table, text) {
  const wanted = text.trim().toLowerCase();
  const rank = ({ key, name }) => {
    const at = name.toLowerCase().indexOf(wanted);
    if (key === wanted || at === 0) return 0;
    if (at > 0) return name[at - 1] === " " ? 1 : 2;
    return key.startsWith(wanted) ? 2 : 3;
  };
  const [first, others] = await Promise.all([parentsOf(table), search(table, text.trim())]);
  const parents = [...new Map([...first, ...others].map((parent) => [parent.key, parent])).values()];
  const ranked = parents.map((parent) => ({ parent, rank: rank(parent) }));
  const found = ranked.filter((each) => each.rank < 3).sort((one, other) => one.rank - other.rank);
  return found.slice(0, SHOWN).map(({ parent }) => parent);
}
