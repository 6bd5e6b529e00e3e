// Keeps the deliveries on the page of a webhook up to date while one of them waits.

import { ask, pause } from "./api.js";

const LOOK_MILLISECONDS = 1000;
const LONGEST_PAUSE = 30_000;
const WORDS = JSON.parse(document.body.dataset.words);
const table = document.getElementById("sent");
const told = document.getElementById("told");

const waits = () => table.querySelector("[data-state=waiting]");

async function keepUpToDate() {
  for (let wait = LOOK_MILLISECONDS; waits(); await pause(wait)) {
    if (document.hidden) continue;
    const answer = await ask(`/v1/webhooks/${table.dataset.webhook}/deliveries`);
    const changed = (answer?.deliveries ?? []).filter((delivery) => take(delivery));
    // What failed is tried again after longer and longer.
    wait = changed.length ? LOOK_MILLISECONDS : Math.min(wait * 1.5, LONGEST_PAUSE);
  }
}

/** Show the delivery in its row; whether anything of it changed. */
function take(delivery) {
  const row = table.querySelector(`[data-delivery="${CSS.escape(delivery.id)}"]`);
  const { state, attempts } = delivery;
  if (!row || (row.dataset.state === state && Number(row.dataset.attempts) === attempts)) return false;
  Object.assign(row.dataset, { state, attempts });
  const part = (name) => row.querySelector(`[data-part="${name}"]`);
  part("state").textContent = WORDS[state] ?? state;
  part("state").className = `badge ${state}`;
  part("attempts").textContent = attempts;
  part("status").textContent = delivery.last_status ?? "";
  part("reason").textContent = delivery.reason ?? "";
  part("next").textContent = inUtc(delivery.next_attempt_at);
  if (part("replay")) part("replay").hidden = state === "waiting";
  told.textContent = `${WORDS[state] ?? state}. ${delivery.reason ?? ""}`;
  return true;
}

const inUtc = (time) => (time ? `${time.slice(0, 19).replace("T", " ")} UTC` : "");

if (table?.dataset.newest) keepUpToDate();
