// Puts an upload that was just accepted on top of the list, where the newest are shown.

import { ago } from "./ago.js";
import { show } from "./upload.js";

const rows = document.getElementById("rows");

export function addToList(upload) {
  if (!rows?.dataset.newest) return;
  const row = document.getElementById("row").content.firstElementChild.cloneNode(true);
  const part = (name) => row.querySelector(`[data-part="${name}"]`);
  row.dataset.upload = upload.id;
  row.querySelector("a").href = `/uploads/${upload.id}`;
  part("name").textContent = upload.filename;
  part("dry").hidden = !upload.options.dry_run;
  part("at").dateTime = upload.submitted_at;
  part("at").title = `${upload.submitted_at.slice(0, 19).replace("T", " ")} UTC`;
  part("at").textContent = ago(upload.submitted_at);
  show(row, upload);
  rows.prepend(row);
  document.getElementById("list").hidden = false;
  document.getElementById("empty").hidden = true;
}
