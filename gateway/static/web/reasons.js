// What messages of the loader say to people: as the templates have it, by the same patterns.

const PHRASES = JSON.parse(document.body.dataset.phrases ?? "[]").map(([pattern, words]) => [new RegExp(pattern, "g"), words]);
// A cell in quotes, or else a name where it can be nothing but a column's or a table's.
const NAMED = /"[^"]*"|^[a-z0-9_]+(?= ")|(?<=: )[a-z0-9_]+(?= is required$)|(?<=the same )[a-z0-9_]+(?= with other values)|[a-z0-9]+_[a-z0-9_]+/g;

/** The message without options and numbers that programs use, and with what people call each of `[name, words]`. */
export function inWords(message, names = []) {
  const called = new Map(names);
  return PHRASES.reduce((said, [pattern, words]) => said.replace(pattern, words), message)
    .replace(NAMED, (found) => called.get(found) ?? found);
}
