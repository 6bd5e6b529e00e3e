// Draws what Muster sees of a file, with what people may choose: its columns, sheet, dates, encoding.

import { PASSED_OVER } from "./columns.js";
import { part, tell } from "./items.js";
import { inWords } from "./reasons.js";
import { inDigits } from "./upload.js";

const template = document.getElementById("file-preview").content.firstElementChild;
const DELIMITERS = { ",": "commas", ";": "semicolons", tab: "tabs", pipe: "pipes" };
const LIST = new Intl.ListFormat("en");
const FEW = 3;
// Shown as a choice or in the cells themselves.
const SHOWN_ELSEWHERE = new Set(["several-sheets"]);

/** Draw what the preview answers; `choose`, `mean` and `forget` are called with the item when people choose. */
export function draw(item, answer, acts) {
  const found = { ...answer, table: item.table };
  const view = template.cloneNode(true);
  part(view, "found").textContent = facts(found);
  const problems = found.problems.filter(({ code }) => !SHOWN_ELSEWHERE.has(code));
  part(view, "problems").replaceChildren(...problems.map((problem) => lineOf(problem, found)));
  offerSheets(view, item, found, acts);
  offerEncodings(view, item, found, acts);
  offerDates(view, item, found, acts);
  drawRows(view, item, found, acts);
  part(view, "recalled").hidden = !item.isRecalled;
  part(view, "forget").addEventListener("click", () => acts.forget(item));
  const look = part(view, "look");
  look.hidden = !found.columns.length;
  look.open = item.parentElement.children.length <= FEW || look.querySelector(":invalid") !== null;
  part(item, "preview").replaceChildren(view);
  part(item, "preview").hidden = false;
  const sum = problems.length === 1 ? "1 thing to look at" : `${inDigits(problems.length)} things to look at`;
  tell(`${item.file.name}: ${facts(found)}${problems.length ? ` ${sum}.` : ""}`);
}

function facts({ sheet, sheets, encoding, delimiter, header, columns }) {
  if (!columns.length) return "Nothing of it can be shown.";
  const names = header === "present" ? "the columns are named" : header === "absent" ? "no names of columns" : "the columns are not known yet";
  const text = sheet === null ? `${DELIMITERS[delimiter]} between the cells, ${nameOfEncoding(encoding)}` : sheets.length > 1 ? `sheet ${sheet}` : "a workbook";
  return `Read as: ${text}, ${names}.`;
}

/** As the choice of encodings has it. */
const nameOfEncoding = (encoding) => (encoding.startsWith("utf") ? encoding.toUpperCase() : encoding);

function lineOf(problem, found) {
  const line = document.createElement("li");
  line.className = problem.fails ? "complaint" : "note";
  line.textContent = wordsFor(problem, found);
  return line;
}

function wordsFor({ code, message, line, column, rows }, found) {
  const { columns, encoding, read } = found;
  const of = rows === null ? "" : read === rows && rows > 1 ? `All of the first ${inDigits(rows)} rows` : rows === 1 ? `The row in line ${line}` : `${inDigits(rows)} of the first ${inDigits(read)} rows`;
  switch (code) {
    case "unknown-header":
      return columns.some(({ label }) => label)
        ? "Muster does not know these columns. Choose below what each of them is."
        : "No line names the columns, and the first line is no row of this table. Is it the right table?";
    case "extra-label": {
      const unknown = columns.filter((each) => each.column === null).map(({ label }) => label);
      return `Choose below what ${LIST.format(unknown)} ${unknown.length === 1 ? "is" : "are"}, or skip ${unknown.length === 1 ? "it" : "them"}.`;
    }
    case "duplicate-label":
      return "Two columns have the same meaning. Choose another for one of them, or skip it.";
    case "ambiguous-dates":
      return `${of}: the date in ${nameOf(column, found)} does not say whether the day or the month is first. Choose it below.`;
    case "encoding-error":
      return `${of}: the text can't be read as ${nameOfEncoding(encoding)}. Choose below what it is in, and see whether the names look right. From Excel on Windows it is often windows-1252.`;
  }
  const said = told(message, found.table);
  const text = said[0].toUpperCase() + said.slice(1);
  if (rows === null) return `${line === null ? "" : `Line ${line}: `}${text}${text.endsWith(".") ? "" : "."}`;
  return `${of} would be rejected${column ? ` for ${nameOf(column, found)}` : ""}. ${rows === 1 ? "" : `The first, line ${line}: `}${text}.`;
}

/** The message as people read it, who choose here what programs say in options. */
const told = (message, table) => inWords(
  message.replace("upload with dates=dmy or dates=mdy", "choose above which is first")
    .replace(/upload with encoding=.*$|name its encoding when uploading it$/, "choose above what the text is in"),
  [...choicesOf(table).options].map(({ value, text }) => [value, text]));

const nameOf = (column, { table, columns }) => columns.find((each) => each.column === column)?.label ?? headingOf(table, column);

const choicesOf = (table) => document.querySelector(`[data-columns-of="${table}"]`).content.firstElementChild;

/** What people read over a column of the table. */
const headingOf = (table, column) => [...choicesOf(table).options].find(({ value }) => value === column)?.text ?? column;

function offer(view, item, name, value, acts) {
  const select = view.querySelector(`[data-choice="${name}"]`);
  select.dataset.key = name;
  select.value = value;
  select.disabled = false;
  select.closest("label").hidden = false;
  select.addEventListener("change", () => acts.choose(item, name, select.value));
}

function offerSheets(view, item, { sheet, sheets }, acts) {
  if (sheets.length < 2) return;
  const select = view.querySelector('[data-choice="sheet"]');
  for (const each of sheets) select.append(new Option(each.visible ? each.name : `${each.name} (hidden)`, each.name));
  offer(view, item, "sheet", sheet ?? "", acts);
}

function offerEncodings(view, item, { encoding, problems }, acts) {
  const isDoubtful = problems.some(({ code }) => code === "encoding-error" || code === "misread-text");
  if (encoding === null || !(isDoubtful || item.choices.encoding)) return;
  offer(view, item, "encoding", item.choices.encoding ?? "auto", acts);
}

/** The dates that can be read in two ways, each with both; kept once the choice is made. */
function offerDates(view, item, found, acts) {
  const select = view.querySelector('[data-choice="dates"]');
  const problem = found.problems.find(({ code }) => code === "ambiguous-dates");
  if (problem) item.readings = { column: nameOf(problem.column, found), readings: problem.readings };
  if (!item.readings || !(problem || item.choices.dates)) {
    // It is required only where it is offered.
    select.disabled = true;
    return;
  }
  const { column, readings } = item.readings;
  part(view, "dates").textContent = `Dates in ${column}, such as ${readings[0].text}, have`;
  offer(view, item, "dates", item.choices.dates ?? "", acts);
  const place = part(view, "readings");
  const heads = [...place.querySelectorAll("thead th")].map(({ textContent }) => textContent);
  place.hidden = false;
  label(place, `Both readings of the dates in ${column}`);
  place.querySelector("tbody").append(...readings.map(({ line, text, dmy, mdy }) =>
    card(heads, [numeric(line), cell(text), moment(dmy), moment(mdy)])));
}

const moment = (value) => cell(value === null ? "no date" : inUtc(value), value === null ? "passed" : "time");

/** Name the table, and what it is scrolled in. */
function label(place, name) {
  for (const each of [place, place.querySelector("table")]) each.setAttribute("aria-label", name);
}

function drawRows(view, item, found, acts) {
  const place = part(view, "rows");
  label(place, `The first rows of ${item.file.name}`);
  const head = place.querySelector("thead tr");
  found.columns.forEach((column, number) => head.append(headOf(item, found, column, number, acts)));
  const asked = found.problems.find(({ code }) => code === "ambiguous-dates")?.column;
  place.querySelector("tbody").append(...found.rows.map((each) => rowOf(each, found, asked)));
}

function headOf(item, found, { label, column }, number, acts) {
  const head = document.createElement("th");
  head.scope = "col";
  const name = head.appendChild(document.createElement("bdi"));
  name.textContent = label ?? headingOf(item.table, column);
  if (!label) return head;
  if (label.startsWith("_")) {
    head.append(document.createElement("br"), "skipped");
    return head;
  }
  const select = choicesOf(item.table).cloneNode(true);
  select.value = column === "" ? PASSED_OVER : column ?? "";
  select.dataset.key = `column ${number}`;
  select.setAttribute("aria-label", `What ${label} is`);
  select.addEventListener("change", () => select.value && acts.mean(item, found, label, select.value));
  head.append(select);
  return head;
}

/** A row; of the column `asked`, if any, it is to be told how dates are written. */
function rowOf({ line, cells, text, errors }, { table, columns }, asked) {
  if (!cells.length) {
    const whole = cell(text ?? "", "bad", errors.length ? told(errors[0].message, table) : null);
    whole.colSpan = Math.max(columns.length, 1);
    return row([numeric(line), whole]);
  }
  return row([numeric(line), ...cells.map((each, number) => {
    const isAsked = asked && columns[number].column === asked && each.error?.code === "type-error";
    if (each.error) return cell(each.text, "bad", isAsked ? "is the day or the month first?" : told(each.error.message, table));
    if (!columns[number].column) return cell(each.text, "passed");
    const value = each.value === null ? each.text : inUtc(String(each.value));
    return cell(value, value.endsWith(" UTC") ? "time" : "");
  })]);
}

function row(cells) {
  const made = document.createElement("tr");
  made.append(...cells);
  return made;
}

/** A row that is a card on a narrow screen: a line for each cell, after its heading. */
function card(heads, cells) {
  cells.forEach((each, number) => { each.dataset.label = heads[number]; each.classList.add("whole"); });
  return row(cells);
}

function cell(text, kind = "", fault = null) {
  const made = document.createElement("td");
  made.className = kind;
  made.appendChild(document.createElement("bdi")).textContent = text;
  if (fault) made.appendChild(document.createElement("p")).textContent = fault;
  return made;
}

const numeric = (number) => cell(String(number), "number");

/** A moment as the page writes it; anything else as it is. */
const inUtc = (value) => value.replace(/^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d(?:\.\d+)?)Z$/, "$1 $2 UTC");
