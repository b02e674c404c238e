// SPDX-License-Identifier: MIT
// Shows one snapshot of those that the page has.

const snapshots = JSON.parse(byId("data").textContent);
const isBusy = one => one.maps.some(map => map.pagesInUse > 0);
let snapshot = snapshots.findLast(isBusy) ?? snapshots[snapshots.length - 1];
let mapShown = null;

const names = new Map();
const nameOf = id => names.get(id) ?? `map ${id}`;

function card(title, figure, detail, kind) {
  return element("div", {}, element("dt", {}, title), element("dd", { class: `figure ${kind ?? ""}`.trim() }, figure), detail && element("dd", { class: "muted" }, detail));
}

const isFault = name => /Faults$/.test(name);
const isLeak = name => ["lostLeases", "busyTeardowns", "lostGateHolds", "referencesHeldTooLong"].includes(name);
const counted = wanted => Object.entries(snapshot.statistics).filter(([name]) => wanted(name));
const total = wanted => counted(wanted).reduce((sum, [, value]) => sum + value, 0);

function showSummary() {
  const used = snapshot.maps.reduce((sum, map) => sum + map.pagesInUse, 0), pages = snapshot.maps.reduce((sum, map) => sum + map.pageCount, 0);
  const dying = snapshot.maps.filter(map => map.state === "Dying").length;
  const faults = total(isFault), leaks = total(isLeak);
  byId("cards").replaceChildren(
    card("Pages in use", number(used), `of ${number(pages)} (${share(used, pages)})`),
    card("Maps", number(snapshot.mapCount), dying ? `${number(dying)} being disposed` : "all live"),
    card("Gate", snapshot.gate.holders ? "on" : "off", plural(snapshot.gate.holders, "holder"), snapshot.gate.holders ? "good" : null),
    card("Level", snapshot.level, `${plural(snapshot.trackedReferences, "reference")} followed`),
    card("Activations", number(snapshot.statistics.activations), `${number(snapshot.statistics.idleEdgesManaged)} told to drivers`),
    card("Callback, p99", snapshot.callbacks.count ? duration(quantile(snapshot.callbacks, 0.99)) : "–", `${number(snapshot.callbacks.count)} timed`),
    card("Layout breaks", number(snapshot.layoutBreaks.count), snapshot.layoutBreaks.count ? `longest wait ${duration(snapshot.layoutBreaks.maxNanoseconds)}` : "none waited"),
    card("Faults", number(faults), faults ? "see below" : "none", faults ? "bad" : "good"),
    card("Leaks", number(leaks), leaks ? "see below" : "none", leaks ? "bad" : "good"));
}

function showGate() {
  const { holders, userHolders, changes, history } = snapshot.gate;
  byId("gate-why").textContent = holders
    ? `On, for ${plural(holders, "holder")}: ${plural(holders - userHolders, "map or claim", "maps and claims")} with a driver, ${plural(userHolders, "user")} by a hold of their own. It changed ${plural(changes, "time")}.`
    : `Off: nobody wants idle callbacks, and looking for them costs nothing. It changed ${plural(changes, "time")}.`;
  gateChart(byId("gate-chart"), snapshot.gate, Date.parse(snapshot.time));
  if (history.length === 0)
    byId("gate-table").replaceChildren();
  else
    folded(byId("gate-table"), `The latest ${plural(history.length, "change")}`, inner => figures(inner, "",
      history.map(change => [moment(change.time), number(change.holders), String(change.threadId)]).reverse(), ["Time", "Holders", "Thread"]));
}

const kindOf = map => map.isFarMemory ? "far memory" : map.isFile ? "file" : words(map.type).trim();
const stateOf = map => [map.state === "Dying" ? "being disposed" : "live", map.layoutBreaks ? plural(map.layoutBreaks, "layout break") : null,
  map.hasDriver ? "driver" : null, map.isClaimed ? "claimed" : null, map.level ? `level ${map.level}` : null].filter(Boolean).join(", ");

function bar(...parts) {
  return element("span", { class: "bar", "aria-hidden": "true" }, ...parts.map(([kind, size]) => {
    const part = element("span", { class: kind });
    part.style.width = `${(100 * size).toFixed(2)}%`;
    return part;
  }));
}

const maps = browser(byId("maps-table"), {
  caption: "Maps, those with most pages in use first. Choose one to see its pages below.",
  filterLabel: "Filter the maps",
  empty: "There is no map.",
  text: map => `${map.name} ${kindOf(map)} ${stateOf(map)}`,
  selected: map => map === mapShown,
  columns: [
    { title: "Map", value: map => map.name, cell: map => element("button", { type: "button", class: "link", "aria-label": `Show the pages of ${map.name}`, click: () => showMap(map) }, given(map.name)) },
    { title: "Kind", value: kindOf, cell: kindOf },
    { title: "State", value: stateOf, cell: stateOf },
    { title: "Pages", number: true, value: map => map.pageCount, cell: map => number(map.pageCount) },
    { title: "In use", number: true, value: map => map.pagesInUse, cell: map => number(map.pagesInUse) },
    { title: "Share", number: false, value: map => map.pagesInUse / map.pageCount, cell: map => bar(["used", map.pagesInUse / map.pageCount]) },
  ],
});

function showMap(map) {
  mapShown = map;
  heat.show(map, snapshot.busyPages.filter(page => page.mapId === map?.id).map(page => page.pageIndex));
  maps.refresh();
}

const oldest = page => page.holders.reduce((most, holder) => Math.max(most, nanoseconds(holder.age)), 0);

function holderItem(holder) {
  return element("li", {},
    `${holder.isLease ? "lease" : "reference"}${holder.references > 1 ? ` (${number(holder.references)} of them)` : ""}, `,
    `held for ${duration(nanoseconds(holder.age))}, by thread ${holder.threadId}`,
    holder.threadName ? " " : null, holder.threadName ? given(holder.threadName) : null,
    holder.activity ? ", in " : null, holder.activity ? given(holder.activity) : null,
    holder.isActivation ? ", which activated the page" : null,
    holder.stack ? element("pre", {}, holder.stack) : null);
}

const busy = browser(byId("busy-table"), {
  caption: "Pages that are in use and known by name, those that are held for longest first.",
  filterLabel: "Filter by map, thread or stack",
  empty: "No page in use is known by name.",
  text: page => [nameOf(page.mapId), page.pageIndex, ...page.holders.flatMap(holder => [holder.threadName, holder.threadId, holder.activity, holder.stack])].join(" "),
  columns: [
    { title: "Map", value: page => nameOf(page.mapId), cell: page => given(nameOf(page.mapId)) },
    { title: "Page", number: true, value: page => page.pageIndex, cell: page => element("button", { type: "button", class: "link", click: () => goTo(page), "aria-label": `Show page ${page.pageIndex} in the heat map` }, number(page.pageIndex)) },
    { title: "Count", number: true, value: page => page.count, cell: page => number(page.count) },
    { title: "Oldest", number: true, value: oldest, cell: page => page.holders.length ? duration(oldest(page)) : "–" },
    { title: "Holders", value: page => page.holders.length, cell: page => page.holders.length === 0 ? "not followed"
      : element("details", {}, element("summary", {}, `${plural(page.holders.length, "holder")} known`), element("ul", { class: "holders" }, ...page.holders.map(holderItem)),
        page.history?.length ? element("p", { class: "muted" }, `Before: ${page.history.map(event => words(event).trim()).join(", ")}.`) : null) },
  ],
});

function goTo(page) {
  const map = snapshot.maps.find(candidate => candidate.id === page.mapId);
  if (!map)
    return;
  showMap(map);
  heat.go(page.pageIndex);
}

function showBusy() {
  const used = snapshot.maps.reduce((sum, map) => sum + map.pagesInUse, 0);
  const advice = { Off: "nobody is followed", Counters: "nobody is followed", Sampled: "one activation in 128 is followed", Full: "every reference taken since is followed" }[snapshot.level];
  byId("busy-about").textContent = `${plural(used, "page is", "pages are")} in use, ${number(snapshot.busyPages.length)} of them named here. At the level ${snapshot.level} ${advice}`
    + (snapshot.level === "Full" ? "." : "; set DevmapDiagnostics.Level to Full to learn of every holder.");
  busy.show(snapshot.busyPages.slice().sort((a, b) => oldest(b) - oldest(a)));
}

function showHistogram(id, histogram, what, none) {
  byId(`${id}-about`).textContent = histogram.count === 0 ? none
    : `${number(histogram.count)} were timed: half of them took at most ${duration(quantile(histogram, 0.5))}, 99 in 100 at most ${duration(quantile(histogram, 0.99))}, the longest ${duration(histogram.maxNanoseconds)}, ${duration(histogram.sumNanoseconds / histogram.count)} on average.`;
  histogramChart(byId(`${id}-chart`), histogram, what);
  if (histogram.count === 0)
    byId(`${id}-table`).replaceChildren();
  else
    folded(byId(`${id}-table`), "The same as a table", inner => figures(inner, "",
      histogram.buckets.flatMap((count, i) => count ? [[bucketName(histogram, i), number(count)]] : []), ["Took", "Count"]));
}

function showFaults() {
  const faults = total(isFault), leaks = total(isLeak);
  byId("faults-about").textContent = faults + leaks ? `${plural(faults, "fault")} and ${plural(leaks, "leak")} since the process began.`
    : "No fault and no leak since the process began.";
  figures(byId("faults-table"), "", counted(name => isFault(name) || isLeak(name)).map(([name, value]) => [words(name), number(value)]), ["Kind", "Count"]);
  byId("faults-list").replaceChildren(...snapshot.faults.slice().reverse().map(fault => element("li", {},
    element("strong", {}, words(fault.kind).trim()), ` at ${moment(fault.time)}`, fault.pageIndex !== null && fault.pageIndex !== undefined ? `, page ${number(fault.pageIndex)}, count ${fault.pageCount}` : "",
    fault.mapName ? " of " : "", fault.mapName ? given(fault.mapName) : "", fault.duration ? `, after ${duration(nanoseconds(fault.duration))}` : "", ": ",
    given(fault.message), fault.stack ? element("details", {}, element("summary", {}, "Stack"), element("pre", {}, fault.stack)) : null)));
}

function showFar() {
  const totals = snapshot.migration, ranges = snapshot.maps.filter(map => map.isFarMemory);
  const any = Object.values(totals).some(value => value > 0) || ranges.length > 0;
  byId("far-about").textContent = any ? `${plural(totals.resident, "page")} in memory, ${number(totals.onDevice)} in a store.` : "There is no far memory.";
  byId("far-table").replaceChildren();
  if (any) {
    figures(byId("far-table"), "", Object.entries(totals).filter(([name]) => name !== "resident" && name !== "onDevice").map(([name, value]) =>
      [{ toDevice: "pages to a store", toMemory: "pages back to memory", faults: "page faults served", faultsFailed: "page faults that failed", failed: "migrations that failed" }[name] ?? words(name), number(value)]), ["What", "Count"]);
  }
  byId("far-maps").replaceChildren(...ranges.slice(0, rowsShown).map(map => element("li", {}, given(map.name),
    `: ${number(map.resident)} of ${plural(map.pageCount, "page")} in memory, ${number(map.onDevice)} in the store`,
    bar(["used", map.resident / map.pageCount], ["away", map.onDevice / map.pageCount]))));
}

function showCounters() {
  const all = counted(() => true);
  folded(byId("counters-table"), `All ${all.length} counters`, inner => figures(inner, "Counted since the process began.", all.map(([name, value]) =>
    [words(name), typeof value === "number" ? number(value) : `${number(value.current)} now, ${number(value.peak)} at most, ${number(value.total)} in all`]), ["Counter", "Value"]));
}

function show() {
  const before = mapShown;
  names.clear();
  for (const map of snapshot.maps)
    names.set(map.id, map.name);
  byId("about").textContent = `Process ${snapshot.processId}, ${moment(snapshot.time)}, level ${snapshot.level}, libdevmap ${snapshot.libraryVersion}.`;
  byId("library").textContent = snapshot.libraryVersion;
  const ordered = snapshot.maps.slice().sort((a, b) => b.pagesInUse - a.pagesInUse || a.id - b.id);
  showSummary();
  showGate();
  maps.show(ordered);
  showMap(ordered.find(map => map.id === before?.id) ?? ordered[0] ?? null);
  showBusy();
  showHistogram("latency", snapshot.callbacks, "Callbacks", "No callback was timed.");
  showHistogram("breaks", snapshot.layoutBreaks, "Waits", "No truncation and no hole waited.");
  showFaults();
  showFar();
  showCounters();
}

byId("moments").hidden = snapshots.length < 2;
byId("moment").append(...snapshots.map((one, i) => element("option", { value: i }, `${i + 1} of ${snapshots.length}: ${moment(one.time)}, ${plural(one.maps.reduce((sum, map) => sum + map.pagesInUse, 0), "page")} in use`)));
byId("moment").value = String(snapshots.indexOf(snapshot));
byId("moment").addEventListener("change", event => {
  snapshot = snapshots[Number(event.target.value)];
  show();
});

// What is folded would be missing on paper.
let unfolded = [];
addEventListener("beforeprint", () => {
  unfolded = [...document.querySelectorAll("details:not([open])")];
  for (const details of unfolded)
    details.open = true;
});
addEventListener("afterprint", () => {
  for (const details of unfolded)
    details.open = false;
});
show();
document.documentElement.dataset.ready = "true";
