// What people call a column, in messages that say its name.

/** The message with each heading of `[name, heading]` for the name, where that can be nothing else. */
export const withHeadings = (message, headings) => headings.reduce(
  (said, [name, heading]) => (name?.includes("_") ? said.replaceAll(name, heading) : said), message);
