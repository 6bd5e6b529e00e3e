// Corrections of rejected rows: what was typed is checked, shown and sent, and not lost.

import { ask } from "./api.js";
import { columns, enter, form, isChanged, isTouched, placeOf, rows } from "./corrections/cells.js";
import { checkAsTheyCame, checkNow, checkSoon } from "./corrections/check.js";
import { offer } from "./corrections/chooser.js";
import "./corrections/keys.js";
import { right, showChecked, showUnchecked, suggested, wrong } from "./corrections/marks.js";
import { parentsOf } from "./corrections/parents.js";
import { takePaste } from "./corrections/paste.js";
import { takeReplacement } from "./corrections/replace.js";
import { change, commit, onChange, undo } from "./corrections/steps.js";
import { inDigits } from "./upload.js";

const status = document.getElementById("corrected");
const send = document.getElementById("send-corrections");
const groups = [...form.querySelectorAll("tbody")];
let news = "";
let sending = false;
// Whether rows that would be rejected again are to be sent all the same.
let insisting = false;

const inRows = (number) => (number === 1 ? "1 row" : `${inDigits(number)} rows`);

function count() {
  for (const group of groups) {
    const left = rows.filter((row) => row.group === group && !right.has(row)).length;
    group.classList.toggle("done", left === 0);
    group.querySelector(".left").textContent = left ? inRows(left) : "all corrected";
    const { length } = certain(group);
    const all = group.querySelector(".all");
    all.hidden = length < 2;
    all.textContent = `Use all ${inDigits(length)} suggestions`;
  }
  const left = rows.length - right.size;
  const unsent = rows.filter((row) => isTouched(row)).length;
  form.classList.toggle("touched", unsent > 0);
  send.textContent = right.size ? `Send ${right.size === 1 ? "the corrected row" : `the ${inDigits(right.size)} corrected rows`}` : "Send the corrected rows";
  status.textContent = [news, right.size || unsent ? `${inDigits(right.size)} corrected, ${inDigits(left)} left.` : ""].join(" ").trim();
}

/** Of the cells of a group for which there is one suggestion, `[[cell, value], …]`. */
const certain = (group) => [...suggested]
  .filter(([cell, { length }]) => length === 1 && placeOf(cell).row.group === group)
  .map(([cell, [{ value }]]) => [cell, value]);

function tell(text) {
  news = text;
  count();
}

function take(row, faults) {
  showChecked(row, faults, (cell, value) => { change([[cell, value]]); cell.focus(); });
}

async function checkTouched() {
  await checkNow(take);
  count();
}

onChange((cells) => {
  insisting = false;
  news = "";
  for (const row of new Set(cells.map((cell) => placeOf(cell).row))) showUnchecked(row);
  checkSoon((row, faults) => { take(row, faults); count(); });
  count();
});

for (const { again, ...row } of rows) again?.addEventListener("change", checkTouched);

for (const [index, { parent }] of columns.entries()) {
  if (!parent || !("names" in form.dataset)) continue;
  parentsOf(parent);
  for (const { cells: { [index]: cell } } of rows) offer(cell, parent, ({ key }) => change([[cell, key]]));
}

for (const field of form.querySelectorAll("[data-fill]")) {
  const column = columns.findIndex((each) => each.column === field.dataset.fill);
  const group = field.closest("tbody");
  const fill = ({ key, name }) => {
    const left = rows.filter((row) => row.group === group && !right.has(row));
    const filled = change(left.map(({ cells }) => [cells[column], key]));
    field.value = "";
    tell(`${inRows(filled)} set to ${name ? `${name} (${key})` : key}.`);
  };
  if ("names" in form.dataset) offer(field, columns[column].parent, fill, true);
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.defaultPrevented) return;
    event.preventDefault();
    if (field.value.trim()) fill({ key: field.value.trim(), name: "" });
  });
}

for (const group of groups) {
  const all = document.createElement("button");
  all.type = "button";
  all.className = "quiet all";
  all.hidden = true;
  all.addEventListener("click", () => change(certain(group)));
  group.querySelector(".cause div").append(all);
}

takePaste(tell);
takeReplacement(tell);
document.getElementById("undo-correction").addEventListener("click", undo);
checkAsTheyCame(take).then(count);

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  commit();
  await checkTouched();
  if (wrong.size && !insisting) {
    insisting = true;
    enter([...wrong][0].cells.find((cell) => cell.hasAttribute("aria-invalid")));
    tell(`${inRows(wrong.size)} would be rejected again: correct ${wrong.size === 1 ? "it" : "them"}, or press Send once more to send ${wrong.size === 1 ? "it" : "them"} all the same.`);
    return;
  }
  // Sent without a session, or while Muster is away, they would be gone: the banner says so instead.
  if (sending || !(await ask("/v1/me"))) return;
  sending = true;
  form.submit();
});

// What was not changed need not travel; rows that are right as they came are sent for that.
form.addEventListener("formdata", ({ formData }) => {
  for (const row of rows) {
    for (const cell of row.cells) if (!isChanged(cell)) formData.delete(cell.name);
    if (right.has(row) && !isTouched(row)) formData.append(`again${row.line}`, "on");
  }
});

addEventListener("pageshow", () => { sending = false; });
addEventListener("beforeunload", (event) => {
  if (!sending && rows.some(isTouched)) event.preventDefault();
});
