// SPDX-License-Identifier: MIT
// The heat map of one map on one canvas: cells of the snapshot, drawn one by one or in groups of 2^n.

const heat = (() => {
  const canvas = byId("heat-canvas"), tip = byId("heat-tip");
  const maxRows = 20;
  const levels = 5;
  let map = null, cells = new Int32Array(0), marks = [];
  let group = 1, first = 0, chosen = 0, columns = 1, rows = 1, side = 12;

  /** The inverse of the snapshot's packing: see HeatMapCells in the library. */
  function unpack(text) {
    const packed = Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
    const values = [];
    let at = 0;
    const read = () => {
      let value = 0;
      for (let scale = 1; ; scale *= 128) {
        const byte = packed[at++];
        value += (byte & 127) * scale;
        if (byte < 128)
          return value;
      }
    };
    while (at < packed.length) {
      const head = read();
      const run = head % 2 ? read() + 2 : 1;
      for (let i = 0; i < run; i++)
        values.push(Math.floor(head / 2));
    }
    return Int32Array.from(values);
  }

  const perCell = () => map.heatMap.pagesPerCell;
  const room = () => columns * maxRows;
  const all = () => {
    let whole = 1;
    while (Math.ceil(cells.length / whole) > room())
      whole *= 2;
    return whole;
  };

  /** The pages of a group of cells, and those of them in use. */
  function groupAt(index) {
    const from = index * group, to = Math.min(from + group, cells.length);
    let used = 0;
    for (let i = from; i < to; i++)
      used += cells[i];
    const start = from * perCell(), end = Math.min(to * perCell(), map.pageCount);
    return { start, end, pages: end - start, used, marked: marks.filter(page => page >= start && page < end) };
  }

  const level = cell => cell.used === 0 ? 0 : cell.used === cell.pages ? levels - 1 : 1 + Math.min(2, Math.floor(3 * cell.used / cell.pages));

  function describe(index) {
    const cell = groupAt(index);
    const pages = cell.pages === 1 ? `Page ${number(cell.start)}` : `Pages ${number(cell.start)} to ${number(cell.end - 1)}`;
    const used = cell.pages === 1 ? cell.used ? "in use" : "idle" : `${number(cell.used)} of ${number(cell.pages)} in use (${share(cell.used, cell.pages)})`;
    const named = cell.marked.length === 0 ? "" : cell.marked.length === 1 ? `; page ${number(cell.marked[0])} is in the table below`
      : `; ${number(cell.marked.length)} of them are in the table below`;
    return `${pages}: ${used}${named}`;
  }

  /** As many columns as fit, of squares that a finger can hit where there are few. */
  function layOut() {
    const width = canvas.parentElement.clientWidth;
    side = cells.length <= 256 ? 28 : cells.length <= 1024 ? 20 : 13;
    columns = Math.max(1, Math.min(Math.floor(width / side), cells.length));
    if (group > all())
      group = all();
  }

  function draw() {
    if (!map?.heatMap)
      return;
    layOut();
    const shown = Math.min(Math.ceil(cells.length / group) - first, room());
    rows = Math.max(1, Math.ceil(shown / columns));
    const scale = window.devicePixelRatio || 1, style = getComputedStyle(canvas);
    canvas.style.height = `${rows * side}px`;
    canvas.width = Math.round(canvas.parentElement.clientWidth * scale);
    canvas.height = Math.round(rows * side * scale);
    const context = canvas.getContext("2d");
    context.scale(scale, scale);
    const colours = Array.from({ length: levels }, (_, i) => style.getPropertyValue(`--heat-${i}`).trim());
    const mark = style.getPropertyValue("--mark").trim();
    for (let i = 0; i < shown; i++) {
      const cell = groupAt(first + i), x = i % columns * side, y = Math.floor(i / columns) * side;
      context.fillStyle = colours[level(cell)];
      context.fillRect(x, y, side - 1, side - 1);
      if (cell.marked.length) {
        context.fillStyle = mark;
        context.beginPath();
        context.moveTo(x + side - 1, y);
        context.lineTo(x + side - 1, y + side * 0.6);
        context.lineTo(x + side * 0.4 - 1, y);
        context.fill();
      }
    }
    const at = Math.floor(chosen / group) - first;
    if (at >= 0 && at < shown) {
      context.strokeStyle = style.getPropertyValue("--select").trim();
      context.lineWidth = 2;
      context.strokeRect(at % columns * side, Math.floor(at / columns) * side, side - 1, side - 1);
    }
    tell();
  }

  function tell() {
    const last = groupAt(first + Math.min(Math.ceil(cells.length / group) - first, room()) - 1);
    byId("heat-range").textContent = `Pages ${number(groupAt(first).start)} to ${number(last.end - 1)} of ${number(map.pageCount)}, ${plural(Math.min(group * perCell(), map.pageCount), "page")} a square`;
    byId("heat-cell").textContent = `${describe(Math.floor(chosen / group))}.`;
    byId("zoom-in").disabled = group === 1;
    byId("zoom-out").disabled = byId("zoom-all").disabled = group >= all();
    canvas.dataset.group = group;
    canvas.dataset.first = first * group;
    canvas.dataset.chosen = chosen;
  }

  /** Keeps the chosen square in sight. */
  function follow() {
    const at = Math.floor(chosen / group), count = Math.ceil(cells.length / group);
    if (at < first || at >= first + room())
      first = Math.floor(at / columns) * columns - Math.floor(maxRows / 2) * columns;
    first = Math.max(0, Math.min(first, Math.max(0, Math.ceil((count - room()) / columns) * columns)));
  }

  function choose(index) {
    chosen = Math.max(0, Math.min(index, Math.ceil(cells.length / group) - 1)) * group;
    follow();
    draw();
  }

  /** Around the chosen square, which stays where it is as far as it can. */
  function zoom(other) {
    other = Math.max(1, Math.min(other, all()));
    const at = Math.floor(chosen / group) - first;
    group = other;
    first = Math.floor((Math.floor(chosen / group) - at) / columns) * columns;
    follow();
    draw();
  }

  const step = by => choose(Math.floor(chosen / group) + by);
  const keys = {
    ArrowLeft: () => step(-1),
    ArrowRight: () => step(1),
    ArrowUp: () => Math.floor(chosen / group) >= columns && step(-columns),
    ArrowDown: () => Math.floor(chosen / group) + columns < Math.ceil(cells.length / group) && step(columns),
    PageUp: () => step(-columns * 10),
    PageDown: () => step(columns * 10),
    Home: () => choose(0),
    End: () => choose(cells.length),
    Enter: () => zoom(group / 2),
    "+": () => zoom(group / 2),
    "=": () => zoom(group / 2),
    "-": () => zoom(group * 2),
    0: () => zoom(all()),
    Escape: () => zoom(all()),
  };

  function squareAt(event) {
    const box = canvas.getBoundingClientRect();
    const column = Math.floor((event.clientX - box.left) / side), row = Math.floor((event.clientY - box.top) / side);
    const index = first + row * columns + column;
    return column >= 0 && column < columns && row >= 0 && index < Math.ceil(cells.length / group) ? index : -1;
  }

  canvas.addEventListener("keydown", event => {
    const act = event.ctrlKey || event.altKey || event.metaKey ? null : keys[event.key];
    if (!act || !map?.heatMap)
      return;
    event.preventDefault();
    act();
  });
  canvas.addEventListener("click", event => {
    const index = squareAt(event);
    if (index >= 0)
      choose(index);
  });
  canvas.addEventListener("dblclick", () => zoom(group / 2));
  canvas.addEventListener("wheel", event => {
    // The page scrolls over the map unless somebody works with it.
    if (document.activeElement !== canvas || event.ctrlKey || event.deltaY === 0)
      return;
    const index = squareAt(event);
    if (index >= 0)
      chosen = index * group;
    event.preventDefault();
    zoom(event.deltaY < 0 ? group / 2 : group * 2);
  }, { passive: false });
  canvas.addEventListener("pointermove", event => {
    const index = squareAt(event);
    tip.hidden = index < 0;
    if (index < 0)
      return;
    tip.textContent = describe(index);
    const box = canvas.getBoundingClientRect(), x = event.clientX - box.left;
    tip.style.left = `${Math.max(0, Math.min(x + 12, box.width - tip.offsetWidth))}px`;
    tip.style.top = `${event.clientY - box.top + 16}px`;
  });
  canvas.addEventListener("pointerleave", () => { tip.hidden = true; });
  byId("zoom-in").addEventListener("click", () => zoom(group / 2));
  byId("zoom-out").addEventListener("click", () => zoom(group * 2));
  byId("zoom-all").addEventListener("click", () => zoom(all()));
  for (const query of ["(prefers-color-scheme: dark)", "print"])
    matchMedia(query).addEventListener("change", draw);
  let width = 0;
  new ResizeObserver(() => {
    if (canvas.parentElement.clientWidth === width)
      return;
    width = canvas.parentElement.clientWidth;
    draw();
  }).observe(canvas.parentElement);
  byId("heat-legend").append(...["all idle", "less than a third in use", "a third to two thirds", "more", "all in use"].map((text, i) => {
    const swatch = element("span", { class: "swatch" });
    swatch.style.background = `var(--heat-${i})`;
    return element("li", {}, swatch, text);
  }), (() => {
    const swatch = element("span", { class: "swatch" });
    swatch.style.background = "linear-gradient(45deg, transparent 60%, var(--mark) 60%)";
    return element("li", {}, swatch, "has pages that are named below");
  })());

  return {
    /** Shows a map, with the pages of it that the table of pages in use names. */
    show(other, named) {
      map = other;
      marks = named;
      byId("heat").hidden = !map;
      if (!map)
        return;
      byId("heat-title").replaceChildren("Heat map of ", given(map.name));
      byId("heat-panel").hidden = !map.heatMap;
      byId("heat-about").textContent = `${plural(map.pageCount, "page")} of ${bytes(map.pageSize)} at 0x${map.address.toString(16)}, ${number(map.pagesInUse)} of them in use.`
        + (map.heatMap ? "" : " This snapshot has no heat map of it: SnapshotOptions.HeatMapCells asks for one.");
      if (!map.heatMap)
        return;
      cells = unpack(map.heatMap.cells);
      first = chosen = 0;
      group = Number.MAX_SAFE_INTEGER;
      layOut();
      draw();
    },
    /** Goes to a page of the map that is shown, as close as the snapshot has it. */
    go(page) {
      if (!map?.heatMap)
        return;
      group = 1;
      choose(Math.floor(page / perCell()));
      canvas.scrollIntoView({ block: "center" });
      canvas.focus({ preventScroll: true });
    },
  };
})();
