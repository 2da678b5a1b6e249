"use strict";
// Sorts a table by the column whose heading is clicked, and hides the rows that a filter leaves
// out. Of a long table it shows the first rows until the rest is asked for.
for (const table of document.querySelectorAll("table.wide")) {
  const body = table.tBodies[0], headings = [...table.tHead.rows[0].cells];
  const filter = table.parentElement.querySelector(".filter input");
  const rows = [...body.rows];
  const more = document.createElement("button");
  let first = "first" in table.dataset ? Number(table.dataset.first) : Infinity;
  const show = () => {
    const wanted = filter ? filter.value.toLowerCase() : "";
    const found = rows.filter((row) => row.textContent.toLowerCase().includes(wanted));
    for (const row of rows) row.classList.add("out");
    for (const row of found) row.classList.remove("out", "later");
    for (const row of found.slice(first)) row.classList.add("later");
    more.hidden = found.length <= first;
  };
  const value = (row, column) => {
    const cell = row.cells[column];
    return "value" in cell.dataset ? Number(cell.dataset.value) : cell.textContent.trim();
  };
  const compare = (a, b) => (typeof a === "number" ? a - b : a.localeCompare(b));
  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    heading.classList.toggle("number", rows[0]?.cells[column].classList.contains("number"));
    button.addEventListener("click", () => {
      const down = heading.getAttribute("aria-sort") === "ascending";
      for (const other of headings) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", down ? "descending" : "ascending");
      rows.sort((a, b) => compare(value(a, column), value(b, column)) * (down ? -1 : 1));
      body.append(...rows);
      show();
    });
  });
  if (filter) filter.addEventListener("input", show);
  more.type = "button";
  more.className = "more";
  more.textContent = table.dataset.more ?? "";
  more.addEventListener("click", () => {
    first = Infinity;
    show();
  });
  table.after(more);
  show();
}
