// Marks the cells that were changed, and sees to it that they are not lost.

import { ask } from "./api.js";
import { inDigits } from "./upload.js";

const form = document.getElementById("corrections");
const changed = document.getElementById("changed");
let sending = false;

form.addEventListener("input", ({ target }) => {
  target.classList.toggle("changed", target.value !== target.defaultValue);
  const rows = [...form.querySelectorAll("tbody tr")].filter((row) => row.querySelector(".changed")).length;
  changed.textContent = rows === 1 ? "1 row is changed" : `${inDigits(rows)} rows are changed`;
});

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  // Sent without a session, or while Muster is away, they would be gone: the banner says so instead.
  if (sending || !(await ask("/v1/me"))) return;
  sending = true;
  form.submit();
});

addEventListener("pageshow", () => { sending = false; });
addEventListener("beforeunload", (event) => {
  if (!sending && form.querySelector(".changed")) event.preventDefault();
});
