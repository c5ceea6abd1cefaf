// The search: what does not match is hidden, and so is each heading that is left without an operation.

/** `shown`: id of each operation to its nodes; `groups`: nodes that hide when they hold nothing; `said`: where the count is shown. */
export function search(input, description, shown, groups, said) {
  let words = null;
  let opened = null;

  function find() {
    words ??= new Map(description.operations.map((one) => [one.id, description.words(one)]));
    const wanted = input.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const [id, nodes] of shown) {
      const fits = wanted.every((word) => words.get(id).includes(word));
      if (fits) count += 1;
      for (const node of nodes) node.hidden = !fits;
    }
    for (const group of groups) group.hidden = !group.querySelector(".leaf:not([hidden])");
    groups.at(-1).closest(".tree")?.classList.toggle("searched", wanted.length > 0);
    openTree(wanted.length > 0);
    said.textContent = wanted.length ? `${count || "No"} of ${shown.size} operations ${count === 1 ? "has" : "have"} “${input.value.trim()}”` : "";
  }

  /** While something is searched the whole tree is open; then it is as before. */
  function openTree(all) {
    const tree = groups.filter((group) => group.tagName === "DETAILS");
    if (all && !opened) opened = new Map(tree.map((one) => [one, one.open]));
    if (all) for (const one of tree) one.open = true;
    else if (opened) for (const [one, open] of opened) one.open = open;
    if (!all) opened = null;
  }

  input.addEventListener("input", find);
  input.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && input.value) {
      event.preventDefault();
      input.value = "";
      find();
    }
    if (event.key === "Enter") {
      event.preventDefault(); // or the same press would open it
      document.querySelector("#operations .leaf:not([hidden]) > summary")?.focus();
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, textarea, select")) return;
    event.preventDefault();
    input.focus();
    input.select();
  });
  return { clear() {
    if (!input.value) return;
    input.value = "";
    find();
  } };
}
