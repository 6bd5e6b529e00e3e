// The buttons that copy what is shown once. Over plain HTTP browsers let no script do it: there it is
// selected for people to copy.

for (const button of document.querySelectorAll("[data-copies]")) {
  const shown = document.getElementById(button.dataset.copies);
  button.addEventListener("click", async () => {
    getSelection().selectAllChildren(shown);
    let told = "Copied.";
    try {
      await navigator.clipboard.writeText(shown.textContent);
    } catch {
      told = "It is selected: copy it with the keyboard.";
    }
    button.nextElementSibling.textContent = told;
  });
}
