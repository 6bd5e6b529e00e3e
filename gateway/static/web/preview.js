// Before a file is sent: how Muster reads its beginning, and what only people can tell it.

import { pause, tellSession } from "./api.js";
import { PASSED_OVER, asOption, recall, remember } from "./columns.js";
import { part, tell } from "./items.js";
import { refusal } from "./outcomes.js";
import { draw } from "./previewed.js";

const form = document.getElementById("send");
const TEXT_BYTES = Number(form.dataset.previewText);
const WORKBOOK_BYTES = Number(form.dataset.previewWorkbook);
const LONGEST_MILLISECONDS = 30_000;
// People who choose with the keyboard come by other choices first.
const CHOOSING_MILLISECONDS = 400;
/** The options that say how a file is read, and those of them that a workbook does without. */
export const OF_TEXTS = ["delimiter", "encoding"];
export const READING = new Set(["header", "dates", ...OF_TEXTS]);

/** Whether the file is called as workbooks are. */
export const isWorkbook = ({ name }) => /\.(xls[xmb]?|ods)$/i.test(name);

// One file at a time: the others' previews are not waited for by people who look at the first.
let before = Promise.resolve();

/** What is to be told to Muster of how the file is read, beside the options for all files. */
export function readingOf(item) {
  const wanted = {};
  for (const [name, value] of new FormData(form)) {
    if (value && READING.has(name)) wanted[name] = value;
  }
  Object.assign(wanted, item.choices);
  if (isWorkbook(item.file)) for (const name of OF_TEXTS) delete wanted[name];
  if (item.columns?.size) wanted.columns = asOption(item.columns);
  return wanted;
}

/** Show how the file of the item is read, after so long or once those before it are shown. */
export function preview(item, milliseconds = 0) {
  item.looking?.abort();
  item.choices ??= {};
  const looking = item.looking = new AbortController();
  item.previewed = before = Promise.all([before, pause(milliseconds)])
    .then(() => looking.signal.aborted || look(item, looking.signal));
}

/** Say no more why there is no preview: what becomes of the file is said from now on. */
export function dropExcuse(item) {
  const place = part(item, "preview");
  if (!place.querySelector("details")) place.replaceChildren();
}

/** No preview any more: the file was sent, and what was chosen for it is kept. */
export function endPreview(item) {
  item.looking?.abort();
  if (item.names) remember(item.table, item.names, item.columns);
  const place = part(item, "preview");
  place.hidden = true;
  place.replaceChildren();
}

async function look(item, signal) {
  const table = part(item, "table").value;
  if (item.table !== table) startAnew(item, table);
  if (!table) return;
  const place = part(item, "preview");
  place.setAttribute("aria-busy", "true");
  try {
    const found = await seen(item, signal);
    if (!signal.aborted && found) show(item, found);
  } finally {
    place.removeAttribute("aria-busy");
  }
}

function startAnew(item, table) {
  item.table = table;
  item.choices = {};
  item.columns = new Map();
  item.names = null;
  part(item, "preview").hidden = true;
}

/** What Muster sees of the file; as was chosen before, if a file with its names was. */
async function seen(item, signal) {
  const found = await ask(item, signal);
  if (!found || item.names) return found;
  item.names = found.columns.map(({ label }) => label);
  const recalled = recall(item.table, item.names);
  if (!recalled) return found;
  item.columns = recalled;
  item.isRecalled = true;
  return await ask(item, signal) ?? found;
}

async function ask(item, signal) {
  const isWhole = isWorkbook(item.file);
  if (isWhole && item.file.size > WORKBOOK_BYTES) {
    return without(item, "The workbook is too large to be shown before it is sent. It is checked then.");
  }
  const query = new URLSearchParams({ table: item.table, filename: item.file.name.slice(0, 256), ...readingOf(item) });
  const time = AbortSignal.timeout(LONGEST_MILLISECONDS);
  try {
    const answer = await fetch(`/v1/uploads/preview?${query}`, {
      method: "POST",
      headers: { "Content-Type": item.file.name.toLowerCase().endsWith(".gz") ? "application/gzip" : "text/csv" },
      body: isWhole ? item.file : item.file.slice(0, TEXT_BYTES),
      signal: AbortSignal.any([signal, time]),
    });
    const told = await answer.json();
    if (answer.ok) return told;
    if (answer.status === 401) tellSession(401);
    if (answer.status === 415 || answer.status === 422) return without(item, refusal({ status: answer.status, answer: told }), "complaint");
  } catch { /* away, or too slow: the file can be sent all the same */ }
  return signal.aborted ? null : without(item, "How the file is read can't be shown just now. It is checked when it is sent.");
}

/** No preview, and why. */
function without(item, text, kind = "small") {
  const place = part(item, "preview");
  const words = document.createElement("p");
  words.className = kind;
  words.textContent = text;
  place.replaceChildren(words);
  place.hidden = false;
  tell(`${item.file.name}: ${text}`);
  return null;
}

function show(item, found) {
  if (item.dataset.step !== "chosen") return;
  const focused = part(item, "preview").contains(document.activeElement) ? document.activeElement.dataset.key : null;
  draw(item, found, { choose, mean, forget });
  if (focused) item.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
}

function choose(item, name, value) {
  item.choices[name] = value;
  // Another sheet has other columns.
  if (name === "sheet") Object.assign(item, { columns: new Map(), names: null, isRecalled: false });
  preview(item, CHOOSING_MILLISECONDS);
}

/** Have the column of that name mean another of the table, which then no other does. */
function mean(item, found, name, column) {
  for (const each of found.columns) {
    if (column !== PASSED_OVER && each.label !== name && each.label && each.column === column) item.columns.set(each.label, PASSED_OVER);
  }
  item.columns.set(name, column);
  preview(item, CHOOSING_MILLISECONDS);
}

function forget(item) {
  item.columns = new Map();
  item.isRecalled = false;
  remember(item.table, item.names, item.columns);
  preview(item);
}
