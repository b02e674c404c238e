// SPDX-License-Identifier: MIT
// A table that is filtered, sorted, and shown a part at a time, so that a thousand maps are no more elements than fifty.

const rowsShown = 50;

/**
 * columns: {title, value(row): what it is sorted by, cell(row): what it shows, number}; text(row): what the filter looks at.
 * Answers a function that shows other rows.
 */
function browser(target, { caption, columns, text, filterLabel, selected, empty }) {
  let rows = [], sorted = -1, falling = true, first = 0, found = [];
  const filter = element("input", { type: "search", id: `${target.id}-filter`, input: () => { first = 0; show(); } });
  const heads = columns.map((column, i) => element("th", { scope: "col", role: "columnheader", class: column.number ? "number" : null },
    element("button", { type: "button", class: "link", click: () => sortBy(i) }, column.title)));
  const body = element("tbody", { role: "rowgroup" });
  const count = element("span", { role: "status" });
  const previous = element("button", { type: "button", click: () => turn(-rowsShown) }, "Previous");
  const next = element("button", { type: "button", click: () => turn(rowsShown) }, "Next");
  const none = element("p", {}, empty);
  const table = element("table", { class: "wide", role: "table" }, element("caption", {}, caption),
    element("thead", { role: "rowgroup" }, element("tr", { role: "row" }, ...heads)), body);
  const search = element("p", { class: "filter" }, element("label", { for: filter.id }, filterLabel), " ", filter);
  const pager = element("p", { class: "buttons" }, previous, next, count);
  target.replaceChildren(search, table, none, pager);

  function sortBy(column) {
    falling = column === sorted ? !falling : columns[column].number === true;
    sorted = column;
    first = 0;
    show();
  }

  function turn(by) {
    first = Math.max(0, Math.min(first + by, found.length - 1));
    show();
  }

  function show() {
    const wanted = filter.value.trim().toLowerCase();
    found = wanted ? rows.filter(row => text(row).toLowerCase().includes(wanted)) : rows.slice();
    if (sorted >= 0) {
      const value = columns[sorted].value;
      const order = (a, b) => a < b ? -1 : a > b ? 1 : 0;
      found.sort((a, b) => (falling ? -1 : 1) * order(value(a), value(b)));
    }
    heads.forEach((head, i) => {
      if (i === sorted)
        head.setAttribute("aria-sort", falling ? "descending" : "ascending");
      else
        head.removeAttribute("aria-sort");
    });
    const shown = found.slice(first, first + rowsShown);
    body.replaceChildren(...shown.map(row => element("tr", { role: "row", "aria-selected": selected?.(row) ? "true" : null },
      ...columns.map(column => element("td", { role: "cell", class: column.number ? "number" : null, "data-label": column.title }, column.cell(row))))));
    count.textContent = found.length === 0 ? "None" : `${number(first + 1)} to ${number(first + shown.length)} of ${number(found.length)}`;
    previous.disabled = first === 0;
    next.disabled = first + rowsShown >= found.length;
    search.hidden = rows.length < 2;
    pager.hidden = rows.length <= rowsShown && found.length === rows.length;
    table.hidden = rows.length === 0;
    none.hidden = rows.length > 0;
  }

  return {
    show(others) {
      rows = others;
      first = 0;
      show();
    },
    refresh: show,
  };
}
