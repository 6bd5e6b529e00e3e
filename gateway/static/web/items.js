// The list of files to send: what stands in it for each, and what is told to screen readers.

const template = document.getElementById("chosen-file").content.firstElementChild;
const told = document.getElementById("told");

export const mayRead = Boolean(document.getElementById("send").dataset.mayRead);

/** The tables, in the order in which they refer to each other. */
export const TABLES = [...template.querySelectorAll("option")].map((option) => option.value).filter(Boolean);

/** The tables to which the rows of a table refer, and those to which theirs do. */
export function needsOf(table) {
  const option = template.querySelector(`option[value="${table}"]`);
  const direct = option?.dataset.needs?.split(" ").filter(Boolean) ?? [];
  return new Set(direct.flatMap((each) => [each, ...needsOf(each)]));
}

export const part = (item, name) => item.querySelector(`[data-part="${name}"]`);

export const tell = (text) => { told.textContent = text; };

/** The item of a file that was chosen, for a table or for none yet. */
export function newItem(file, table) {
  const item = template.cloneNode(true);
  item.file = file;
  part(item, "name").textContent = file.name;
  part(item, "size").textContent = `${file.size.toLocaleString("en-US")} bytes`;
  part(item, "table").value = table;
  part(item, "table").setAttribute("aria-label", `Table of ${file.name}`);
  step(item, "chosen", "Remove");
  return item;
}

/** What can be done with the item now: the word on its button, or none. */
export function step(item, name, word) {
  const button = part(item, "stop");
  item.dataset.step = name;
  item.querySelector("progress").hidden = name === "chosen" || name === "final";
  part(item, "table").disabled = name !== "chosen";
  button.hidden = !word;
  button.textContent = word ?? "";
  button.setAttribute("aria-label", `${button.textContent} ${item.file.name}`);
}

/** Say of the item what happens to it, leading to its upload if there is one. */
export function say(item, text, kind = "", upload = null) {
  const message = part(item, "message");
  message.hidden = false;
  message.className = kind;
  message.textContent = text;
  if (upload && mayRead) {
    const link = document.createElement("a");
    link.href = `/uploads/${upload.id}`;
    link.textContent = upload.rows.rejected ? "See the rejected rows" : "See the upload";
    message.append(" ", link);
  }
  tell(`${item.file.name}: ${text}`);
}
