// The list of names below a field that takes a parent: the combobox of the ARIA Authoring Practices.
// https://www.w3.org/WAI/ARIA/apg/patterns/combobox/examples/combobox-autocomplete-list/

import { find } from "./parents.js";

const list = document.createElement("ul");
list.id = "parents";
list.role = "listbox";
list.popover = "manual";
list.setAttribute("aria-label", "Names");
document.body.append(list);

let field = null;
let shown = [];
let active = -1;

const isOpen = (input) => field === input && shown.length > 0;

/**
 * Have `input` offer the rows of `table` while something is typed, with `atOnce` before that, too;
 * `choose(parent)` is called with the one that was chosen.
 */
export function offer(input, table, choose, atOnce = false) {
  input.role = "combobox";
  input.setAttribute("aria-autocomplete", "list");
  input.setAttribute("aria-expanded", "false");
  input.addEventListener("input", () => open(input, table, choose, atOnce));
  input.addEventListener("blur", close);
  if (atOnce) input.addEventListener("click", () => open(input, table, choose, atOnce));
  input.addEventListener("keydown", (event) => {
    if (isOpen(input)) steer(event);
    else if (event.key === "ArrowDown" && (atOnce || event.altKey)) open(input, table, choose, true);
    else return;
    if (event.key === "ArrowDown") event.preventDefault();
  });
}

async function open(input, table, choose, atOnce) {
  const text = input.value;
  const found = text.trim() || atOnce ? await find(table, text) : [];
  if (document.activeElement !== input || input.value !== text) return;
  close();
  if (!found.length) return;
  field = input;
  shown = found.map((parent, index) => optionOf(parent, index, choose));
  list.replaceChildren(...shown.map(({ element }) => element));
  list.showPopover();
  place(input.getBoundingClientRect());
  input.setAttribute("aria-expanded", "true");
  input.setAttribute("aria-controls", list.id);
  // A key that is typed is meant as it is; a name stands for the first that has it.
  if (text.trim() && !/^\d+$/.test(text.trim())) highlight(0);
}

function optionOf(parent, index, choose) {
  const element = document.createElement("li");
  element.role = "option";
  element.id = `parent${index}`;
  element.append(document.createElement("bdi"), ` ${parent.key}`);
  element.firstChild.textContent = parent.name;
  const pick = () => { close(); choose(parent); };
  // Before the field loses the focus.
  element.addEventListener("mousedown", (event) => { event.preventDefault(); pick(); });
  return { element, pick };
}

function place({ left, top, bottom, width }) {
  const room = innerHeight - bottom;
  const height = Math.min(list.scrollHeight + 2, 320);
  const above = room < height && top > room;
  list.style.left = `${Math.max(4, Math.min(left, innerWidth - list.offsetWidth - 4))}px`;
  list.style.minWidth = `${width}px`;
  list.style.top = above ? `${Math.max(4, top - height - 2)}px` : `${bottom + 2}px`;
}

function close() {
  field?.setAttribute("aria-expanded", "false");
  field?.removeAttribute("aria-activedescendant");
  if (list.matches(":popover-open")) list.hidePopover();
  [field, shown, active] = [null, [], -1];
}

function highlight(index) {
  shown[active]?.element.removeAttribute("aria-selected");
  active = (index + shown.length) % shown.length;
  const { element } = shown[active];
  element.setAttribute("aria-selected", "true");
  element.scrollIntoView({ block: "nearest" });
  field.setAttribute("aria-activedescendant", element.id);
}

function steer(event) {
  if (event.key === "ArrowDown") highlight(active + 1);
  else if (event.key === "ArrowUp") highlight(active < 0 ? shown.length - 1 : active - 1);
  else if (event.key === "Enter" && active >= 0) shown[active].pick();
  else if (event.key === "Escape") close();
  else { if (event.key === "Enter") close(); return; }
  event.preventDefault();
}

addEventListener("scroll", ({ target }) => {
  if (field && target !== list) place(field.getBoundingClientRect());
}, true);
