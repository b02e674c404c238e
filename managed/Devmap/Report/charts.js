// SPDX-License-Identifier: MIT
// Charts are drawn as wide as there is room, so that their text keeps its size on a phone.

function chart(target, draw) {
  let width = 0;
  const redraw = () => {
    width = target.clientWidth;
    target.replaceChildren(...draw(width));
  };
  chart.watched ??= new Map();
  chart.observer ??= new ResizeObserver(entries => {
    for (const entry of entries)
      chart.watched.get(entry.target)?.();
  });
  chart.watched.set(target, () => {
    if (target.clientWidth !== width)
      redraw();
  });
  chart.observer.observe(target);
  redraw();
}

function frame(width, height, label) {
  return drawn("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label });
}

/** The gate's holders over the time of its latest changes. */
function gateChart(target, gate, until) {
  chart(target, width => {
    if (gate.history.length === 0 || width < 100)
      return [];
    const height = 150, left = 34, right = 8, top = 10, bottom = 26;
    const end = Math.max(until, ...gate.history.map(change => Date.parse(change.time)));
    const start = Date.parse(gate.history[0].time);
    const most = Math.max(1, ...gate.history.map(change => change.holders));
    const x = time => left + (end > start ? (time - start) / (end - start) : 0) * (width - left - right);
    const y = holders => height - bottom - holders / most * (height - top - bottom);
    let path = "";
    for (const change of gate.history)
      path += `${path ? "H" : "M"}${x(Date.parse(change.time)).toFixed(1)}${path ? "V" : " "}${y(change.holders).toFixed(1)}`;
    path += `H${(width - right).toFixed(1)}`;
    const svg = frame(width, height, `Holders of the gate over ${duration((end - start) * 1e6)}, at most ${most}; the table below has each change.`);
    svg.append(
      drawn("path", { class: "area", d: `${path}V${y(0)}H${x(start).toFixed(1)}Z` }),
      drawn("path", { class: "step", d: path }),
      drawn("path", { class: "axis", d: `M${left} ${top}V${y(0)}H${width - right}`, fill: "none" }),
      drawn("text", { x: left - 6, y: y(most) + 4, "text-anchor": "end" }, number(most)),
      drawn("text", { x: left - 6, y: y(0) + 4, "text-anchor": "end" }, "0"),
      drawn("text", { x: left, y: height - 8 }, `${duration((end - start) * 1e6)} before`),
      drawn("text", { x: width - right, y: height - 8, "text-anchor": "end" }, "the snapshot"));
    return [svg];
  });
}

/** The end of a histogram's bucket, in nanoseconds. */
const bucketEnd = i => 2 ** i;

function quantile(histogram, part) {
  const wanted = Math.max(1, part * histogram.count);
  let seen = 0;
  for (let i = 0; i < histogram.buckets.length - 1; i++) {
    seen += histogram.buckets[i];
    if (seen >= wanted)
      return Math.min(bucketEnd(i), histogram.maxNanoseconds);
  }
  return histogram.maxNanoseconds;
}

const bucketName = (histogram, i) => i === histogram.buckets.length - 1
  ? `${duration(bucketEnd(i - 1))} or more`
  : i === 0 ? `less than ${duration(1)}` : `${duration(bucketEnd(i - 1))} to ${duration(bucketEnd(i))}`;

function histogramChart(target, histogram, what) {
  chart(target, width => {
    if (histogram.count === 0 || width < 100)
      return [];
    const used = histogram.buckets.flatMap((count, i) => count ? [i] : []);
    const from = Math.max(0, used[0] - 1), to = Math.min(histogram.buckets.length - 1, used[used.length - 1] + 1);
    const height = 190, left = 10, right = 10, top = 20, bottom = 26;
    const step = (width - left - right) / (to - from + 1);
    const most = Math.max(...histogram.buckets);
    const svg = frame(width, height, `${what}: ${used.map(i => `${number(histogram.buckets[i])} took ${bucketName(histogram, i)}`).join("; ")}.`);
    const every = Math.ceil(52 / step);
    for (let i = from; i <= to; i++) {
      const count = histogram.buckets[i], x = left + (i - from) * step;
      const tall = count / most * (height - top - bottom);
      const column = drawn("rect", { class: "column", x: x + 1, width: Math.max(1, step - 2), y: height - bottom - tall, height: tall });
      column.append(drawn("title", {}, `${bucketName(histogram, i)}: ${number(count)}`));
      svg.append(column);
      if (count && step >= 34)
        svg.append(drawn("text", { x: x + step / 2, y: height - bottom - tall - 5, "text-anchor": "middle" }, share(count, histogram.count).replace("below ", "<").replace("above ", ">")));
      if ((i - from) % every === 0 && i < to)
        svg.append(drawn("text", { x: x + step, y: height - 8, "text-anchor": "middle" }, duration(bucketEnd(i))));
    }
    svg.append(drawn("path", { class: "axis", d: `M${left} ${height - bottom}H${width - right}` }));
    return [svg];
  });
}
