// SPDX-License-Identifier: MIT
// What is shown of the data goes through here, as text and never as markup: names and stacks are anybody's.

const byId = id => document.getElementById(id);

/** Makes an element. Attributes that are undefined or null are left out; functions are listeners. */
function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes ?? {})) {
    if (typeof value === "function")
      made.addEventListener(key, value);
    else if (value !== undefined && value !== null)
      made.setAttribute(key, value);
  }
  made.append(...children.filter(child => child !== undefined && child !== null));
  return made;
}

/** A name that somebody gave, whichever way it is written. */
const given = text => element("bdi", {}, text);

const drawn = (name, attributes, text) => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes))
    made.setAttribute(key, value);
  if (text !== undefined)
    made.textContent = text;
  return made;
};

const wholeNumber = new Intl.NumberFormat("en");
const number = value => wholeNumber.format(value);

const plural = (count, one, many) => `${number(count)} ${count === 1 ? one : many ?? `${one}s`}`;

const share = (part, all) => {
  if (all === 0 || part === 0)
    return "0 %";
  const percent = 100 * part / all;
  return percent < 1 ? "below 1 %" : percent > 99 && part < all ? "above 99 %" : `${Math.round(percent)} %`;
};

function duration(nanoseconds) {
  for (const [unit, size] of [["s", 1e9], ["ms", 1e6], ["µs", 1e3]]) {
    if (nanoseconds >= size)
      return `${Number((nanoseconds / size).toPrecision(3))} ${unit}`;
  }
  return `${Math.round(nanoseconds)} ns`;
}

function bytes(value) {
  for (const [unit, size] of [["TiB", 2 ** 40], ["GiB", 2 ** 30], ["MiB", 2 ** 20], ["KiB", 1024]]) {
    if (value >= size)
      return `${Number((value / size).toPrecision(3))} ${unit}`;
  }
  return `${value} B`;
}

/** Nanoseconds of .NET's [-][d.]hh:mm:ss[.fffffff]. */
function nanoseconds(text) {
  const parts = /^(-?)(?:(\d+)\.)?(\d+):(\d+):(\d+(?:\.\d+)?)$/.exec(text);
  if (!parts)
    return 0;
  const seconds = ((Number(parts[2] ?? 0) * 24 + Number(parts[3])) * 60 + Number(parts[4])) * 60 + Number(parts[5]);
  return (parts[1] ? -1e9 : 1e9) * seconds;
}

const moment = text => new Date(text).toISOString().replace("T", " ").replace("Z", " UTC");

/** driverFaults -> driver faults */
const words = name => name.replace(/[A-Z]/g, letter => ` ${letter.toLowerCase()}`);

/** A table of two columns, folded where it has a title. */
function figures(target, title, rows, heads) {
  const table = element("table", {},
    title && element("caption", {}, title),
    element("thead", {}, element("tr", {}, ...heads.map((head, i) => element("th", { scope: "col", class: i ? "number" : null }, head)))),
    element("tbody", {}, ...rows.map(row => element("tr", {}, ...row.map((cell, i) =>
      element(i ? "td" : "th", { scope: i ? null : "row", class: i ? "number" : null }, cell))))));
  target.replaceChildren(table);
}

function folded(target, summary, fill) {
  const inner = element("div");
  fill(inner);
  target.replaceChildren(element("details", {}, element("summary", {}, summary), inner));
}
