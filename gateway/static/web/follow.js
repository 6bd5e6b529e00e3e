// The page of an upload that is not final yet: what changes of it is shown.

import { fetchUpload, pause } from "./api.js";
import { follow } from "./events.js";
import { show, wordFor } from "./upload.js";

const LOOK_MILLISECONDS = 1000;
const element = document.getElementById("upload");
const told = document.getElementById("told");

function take(upload) {
  if (upload.state !== element.dataset.state) told.textContent = wordFor(upload);
  show(element, upload);
}

await follow(element.dataset.upload, take);
// The whole page of a final upload tells more, such as its rejected rows; but a page that can't be
// fetched just now is worse than this one.
while (!(await fetchUpload(element.dataset.upload))) await pause(LOOK_MILLISECONDS);
location.reload();
