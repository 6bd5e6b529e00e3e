// The page that a one-time link leads to: what opens the link goes from the address into the form.
// Without scripts it is typed or pasted there.

const form = document.getElementById("link-form");
const field = form?.elements.namedItem("token");
const token = location.hash.slice(1);
if (field && token) {
  field.value = token;
}
if (token) {
  // Neither the history, nor whoever looks at the address, nor a bookmark keeps it.
  history.replaceState(null, "", location.pathname);
}
if (field?.value) {
  document.getElementById("link-token").hidden = true;
}
