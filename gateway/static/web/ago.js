// How long ago things were, kept true while the page is open; the time in UTC is on hover.

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const AGES = [[HOUR, MINUTE, "minute"], [DAY, HOUR, "hour"], [7 * DAY, DAY, "day"]];

/** How long ago that was, as people say it; after a week its day. */
export function ago(time) {
  const seconds = (Date.now() - Date.parse(time)) / 1000;
  const [, unit, name] = AGES.find(([most]) => seconds < most) ?? [];
  if (!unit) return time.slice(0, 10);
  const number = Math.max(0, Math.floor(seconds / unit));
  return number ? `${number} ${name}${number === 1 ? "" : "s"} ago` : "just now";
}

setInterval(() => {
  for (const each of document.querySelectorAll("time[data-ago]")) {
    if (each.dateTime) each.textContent = ago(each.dateTime);
  }
}, (MINUTE * 1000) / 2);
