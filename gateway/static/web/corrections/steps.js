// What was corrected, step by step, so that it can be undone: one that fills many cells is one step.

import { form, placeOf } from "./cells.js";

const button = document.getElementById("undo-correction");
const done = [];
const undone = [];
const listeners = [];
// The cell that has the focus, and its text as it was when it got it.
let typing = null;

/** Have `listener` called with the cells that were changed, after each change. */
export const onChange = (listener) => listeners.push(listener);

/** Give the cells other texts, `[[cell, text], …]`, as one step; returns how many are changed by it. */
export function change(texts) {
  commit();
  const step = texts.filter(([cell, text]) => cell.value !== text)
    .map(([cell, after]) => ({ cell, before: cell.value, after }));
  if (step.length) record(step);
  for (const { cell, after } of step) cell.value = after;
  if (step.length) tell(step);
  return step.length;
}

/** Make what is being typed into a cell a step of its own. */
export function commit() {
  if (!typing || typing.cell.value === typing.before) return;
  record([{ ...typing, after: typing.cell.value }]);
  typing.before = typing.cell.value;
}

/** Undo the last step; returns whether there was one. */
export function undo() {
  commit();
  return move(done, undone, "before");
}

/** Do again what was undone last. */
export const redo = () => move(undone, done, "after");

/** Take back what was typed into the cell since it got the focus. */
export function restore(cell) {
  if (typing?.cell !== cell || cell.value === typing.before) return false;
  cell.value = typing.before;
  tell([{ cell }]);
  return true;
}

function record(step) {
  done.push(step);
  undone.length = 0;
  button.disabled = false;
}

function move(from, to, side) {
  const step = from.pop();
  if (!step) return false;
  to.push(step);
  for (const { cell, [side]: text } of step) cell.value = text;
  button.disabled = !done.length;
  tell(step);
  return true;
}

function tell(step) {
  if (typing) typing.before = typing.cell.value;
  for (const listener of listeners) listener(step.map(({ cell }) => cell));
}

form.addEventListener("focusin", ({ target }) => {
  typing = placeOf(target) ? { cell: target, before: target.value } : null;
});
form.addEventListener("focusout", () => { commit(); typing = null; });
form.addEventListener("input", ({ target }) => {
  if (placeOf(target)) for (const listener of listeners) listener([target]);
});
