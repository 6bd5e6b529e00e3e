// Forms that make a secret are sent once, however often their button is pressed.

for (const form of document.querySelectorAll("form[data-once]")) {
  let isSent = false;
  form.addEventListener("submit", (event) => {
    if (isSent) event.preventDefault();
    isSent = true;
  });
  // The browser may keep the page as it was, for whoever comes back to it.
  addEventListener("pageshow", () => { isSent = false; });
}
