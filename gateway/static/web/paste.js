// Cells copied from a sheet, pasted as text: they become a file like any other.

const box = document.getElementById("paste");
const text = document.getElementById("pasted");
const use = document.getElementById("use-pasted");
let count = 0;

/** Call `choose` with the files that are made of pasted cells. */
export function takePasted(choose) {
  text.addEventListener("input", () => { use.disabled = !text.value.trim(); });
  use.addEventListener("click", () => {
    count += 1;
    const name = count === 1 ? "pasted cells.tsv" : `pasted cells ${count}.tsv`;
    choose([new File([text.value], name, { type: "text/tab-separated-values" })]);
    text.value = "";
    use.disabled = true;
    box.open = false;
    document.querySelector("#chosen > :last-child select")?.focus();
  });
}
