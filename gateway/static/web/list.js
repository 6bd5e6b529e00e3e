// Keeps the states in the list of uploads up to date.

import { fetchUpload, pause } from "./api.js";
import { isFinal, show } from "./upload.js";

const LOOK_MILLISECONDS = 400;
const LONGEST_PAUSE = 3000;
// Uploads are loaded one after the other, so only the oldest that are not final can change much.
const LOOKED_AT = 4;

async function keepUpToDate() {
  for (let wait = LOOK_MILLISECONDS; ; await pause(wait)) {
    if (document.hidden) continue;
    const rows = [...document.querySelectorAll("tr[data-upload]")];
    const unfinished = rows.filter((row) => !isFinal(row.dataset.state)).slice(-LOOKED_AT);
    const answered = await Promise.all(unfinished.map(bringUpToDate));
    wait = answered.every(Boolean) ? LOOK_MILLISECONDS : Math.min(wait * 2, LONGEST_PAUSE);
  }
}

async function bringUpToDate(row) {
  const upload = await fetchUpload(row.dataset.upload);
  if (upload) show(row, upload);
  return upload !== null;
}

keepUpToDate();
