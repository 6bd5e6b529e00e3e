// Sends the chosen files, one after the other, in the order in which their tables refer to each other.

import { ask, pause } from "./api.js";
import { follow } from "./events.js";
import { TABLES, mayRead, needsOf, newItem, part, say, step, tell } from "./items.js";
import { addToList } from "./newest.js";
import { isFinal, show, wordFor } from "./upload.js";
import { kindOf, outcome, refusal } from "./outcomes.js";
import { takePasted } from "./paste.js";
import { OF_TEXTS, READING, dropExcuse, endPreview, isWorkbook, preview, readingOf } from "./preview.js";
import { transfer } from "./transfer.js";

const form = document.getElementById("send");
const input = document.getElementById("files");
const drop = document.getElementById("drop");
const list = document.getElementById("chosen");
const start = document.getElementById("start");
// A file is sent without its preview where that takes longer.
const LONGEST_WAIT = 3000;
let sending = false;
// One stream at a time: uploads are loaded in order, and a browser has few connections.
let followed = Promise.resolve();

const unsent = () => [...list.children].filter((item) => item.dataset.step === "chosen");

function choose(files) {
  const items = [...files].map(itemFor);
  list.append(...items);
  putInOrder();
  items.forEach(preview);
  const names = unsent().map((item) => item.file.name);
  if (names.length > 1) tell(`To be sent in this order: ${names.join(", ")}`);
}

function itemFor(file) {
  const item = newItem(file, tableOf(file.name));
  part(item, "table").addEventListener("change", () => { putInOrder(); preview(item); });
  part(item, "stop").addEventListener("click", () => stop(item));
  return item;
}

const tableOf = (name) => TABLES.filter((table) => name.toLowerCase().startsWith(table)).pop() ?? "";

function putInOrder() {
  const rank = (item) => TABLES.indexOf(part(item, "table").value);
  list.append(...unsent().sort((one, other) => rank(one) - rank(other)));
  start.disabled = sending || !unsent().length;
}

async function stop(item) {
  if (item.dataset.step === "chosen") {
    item.looking.abort();
    item.remove();
    putInOrder();
    input.focus();
  } else if (item.dataset.step === "sending") {
    item.stopping.abort();
  } else {
    const button = part(item, "stop");
    button.disabled = true;
    button.disabled = (await ask(`/v1/uploads/${item.upload}`, { method: "DELETE" })) !== null;
  }
}

async function sendAll() {
  sending = true;
  putInOrder();
  await Promise.race([Promise.all(unsent().map(({ previewed }) => previewed)), pause(LONGEST_WAIT)]);
  if (canBeSent()) await sendEach();
  sending = false;
  putInOrder();
}

/** Whether all is told of the files that only people can tell; else they are asked for it. */
function canBeSent() {
  for (const wanted of form.querySelectorAll("details :invalid")) wanted.closest("details").open = true;
  return form.reportValidity();
}

/** Send each file, but those that need one that was refused; all wait where nothing is taken. */
async function sendEach() {
  const refused = [];
  let isAway = false;
  for (const item of unsent()) {
    const first = isAway ? refused.at(-1) : refused.find((other) => mustFollow(item, other));
    if (first) {
      say(item, `Not sent yet. First see to ${first.file.name}, or remove it.`, "note");
      continue;
    }
    const outcome = await send(item);
    if (outcome !== "accepted") refused.push(item);
    isAway = outcome === "away";
  }
}

/** Whether a file is for the same table as another, or for one whose rows refer to that one's. */
function mustFollow(item, other) {
  const [table, first] = [item, other].map((each) => part(each, "table").value);
  return table === first || needsOf(table).has(first);
}

/** What became of the file: `accepted`, `refused`, or `away` where others would fare no better. */
async function send(item) {
  const progress = item.querySelector("progress");
  item.stopping = new AbortController();
  dropExcuse(item);
  step(item, "sending", "Stop");
  say(item, "Sending …");
  const result = await transfer(item.file, query(item), {
    signal: item.stopping.signal,
    onProgress: (share) => { progress.value = share; },
    onPause: (reason, seconds) => say(item, `${refusal(reason)} Trying again in ${seconds} s.`, "note"),
  });
  if (result.status === 202 || result.status === 200) {
    accepted(item, result.answer);
    return "accepted";
  }
  step(item, "chosen", "Remove");
  if (item.stopping.signal.aborted) say(item, "Stopped. If all of it had arrived already, it is loaded all the same.", "note");
  else say(item, `${refusal(result)}${result.passes ? " Press Upload to try again." : ""}`, "complaint");
  return result.passes || result.status === 401 ? "away" : "refused";
}

function accepted(item, upload) {
  item.upload = upload.id;
  endPreview(item);
  item.querySelector("progress").setAttribute("aria-label", "Checked and loaded");
  step(item, "accepted", "Cancel");
  show(item, upload);
  say(item, "Sent, and safe.", "", upload);
  addToList(upload);
  if (mayRead) followed = followed.then(() => follow(upload.id, (latest) => take(item, latest)));
  else step(item, "final");
}

function take(item, upload) {
  if (isFinal(upload.state)) {
    step(item, "final");
    say(item, outcome(upload), kindOf(upload), upload);
  } else if (upload.error) {
    say(item, upload.error.detail, "note", upload);
  } else if (upload.state !== item.dataset.state) {
    say(item, `${wordFor(upload)} …`, "", upload);
  }
  show(item, upload);
}

function query(item) {
  // A name of more than 255 characters is refused; all of it may not fit into an address.
  const wanted = { table: part(item, "table").value, filename: item.file.name.slice(0, 256) };
  for (const [name, value] of new FormData(form)) if (value) wanted[name] = value;
  if (isWorkbook(item.file)) for (const name of OF_TEXTS) delete wanted[name];
  return new URLSearchParams({ ...wanted, ...readingOf(item) });
}

takePasted(choose);
form.addEventListener("change", ({ target }) => {
  if (READING.has(target.name)) unsent().forEach(preview);
});
input.addEventListener("change", () => { choose(input.files); input.value = ""; });
// A file that misses the frame would be opened by the browser, and this page be gone.
for (const kind of ["dragenter", "dragover"]) {
  addEventListener(kind, (event) => { event.preventDefault(); drop.classList.add("over"); });
}
addEventListener("dragleave", ({ relatedTarget }) => { if (!relatedTarget) drop.classList.remove("over"); });
addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  choose(event.dataTransfer.files);
});
form.addEventListener("submit", (event) => { event.preventDefault(); sendAll(); });
addEventListener("beforeunload", (event) => { if (sending) event.preventDefault(); });
