// Bars a peer: how each one fares, and which data each one has.

const MEASURES = {
  accuracy: { format: percent, axis: axisPercent, of: (peer) => peer.accuracy, to: 1 },
  rounds: { format: count, axis: count, of: (peer) => peer.rounds },
  bytes_in: { format: bytes, axis: bytes, of: (peer) => peer.bytes_in },
  bytes_out: { format: bytes, axis: bytes, of: (peer) => peer.bytes_out },
  cpu_s: { format: (value) => digits(value) + " s", axis: (value) => digits(value) + " s", of: (peer) => peer.cpu_s },
};

// Columns over a common floor. `columns`: {name, tip, parts: [[value, colour]], hollow}.
function columnChart(host, columns, format, to) {
  const draw = () => put(host, columnPicture(host, columns, format, to));
  draw();
  watchWidth(host, draw);
}

function columnPicture(host, columns, format, to) {
  const width = Math.max(host.clientWidth, 240);
  const total = (column) => column.parts.reduce((sum, part) => sum + (part[0] || 0), 0);
  const max = Math.max(to || 0, ...columns.map(total)) || 1;
  const marksAt = ticks({ min: 0, max }, 4);
  const left = Math.max(...marksAt.map((at) => format(at).length)) * 7 + 10;
  const step = (width - left - 4) / Math.max(1, columns.length);
  const named = columns.length <= 64 && step >= 11;
  const longest = Math.max(0, ...columns.map((column) => Math.min(16, column.name.length)));
  const below = named ? 12 + longest * 6.2 : 6;
  const height = 200 + below;
  const toY = (value) => 190 - (value / max) * 178;
  const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, height, role: "img" });
  for (const at of marksAt) {
    root.append(svg("line", { class: "grid", x1: left, x2: width, y1: toY(at), y2: toY(at) }));
    root.append(svg("text", { x: left - 6, y: toY(at) + 4, "text-anchor": "end" }, format(at)));
  }
  const gap = step > 6 ? Math.min(4, step * 0.2) : step > 2.5 ? 0.6 : 0;
  columns.forEach((column, index) => {
    const x = left + index * step;
    let base = 0;
    for (const [value, fillColour] of column.parts) {
      if (!(value > 0)) continue;
      root.append(svg("rect", { class: "bar", x: x + gap / 2, y: toY(base + value), width: Math.max(0.5, step - gap), height: toY(base) - toY(base + value),
        opacity: column.hollow ? 0.35 : 1, style: { "--c": fillColour } }));
      base += value;
    }
    if (named) {
      const middle = x + step / 2 + 4;
      root.append(svg("text", { transform: `translate(${middle} 198) rotate(-90)`, "text-anchor": "end" }, column.name.slice(0, 16)));
    }
  });
  root.addEventListener("pointerleave", () => hideTip(host));
  root.addEventListener("pointermove", (event) => {
    const area = root.getBoundingClientRect();
    const at = event.clientX - area.left;
    const column = columns[Math.floor((at - left) / step)];
    if (column) showTip(host, at, Math.min(150, event.clientY - area.top), column.tip);
    else hideTip(host);
  });
  return root;
}

function drawBars(seed, what) {
  const measure = MEASURES[what];
  const all = seed.outcome.peers.map((peer) => ({ ...peer, value: measure.of(peer) }));
  const rising = (a, b) => (a.value ?? -1) - (b.value ?? -1);
  const honest = all.filter((peer) => !peer.attack && peer.up).sort(rising);
  const others = all.filter((peer) => peer.attack || !peer.up).sort(rising);
  const tenth = Math.ceil(honest.filter((peer) => isNumber(peer.value)).length / 10);
  const lowest = honest.filter((peer) => isNumber(peer.value)).slice(0, tenth);
  const paint = (peer) => (peer.attack ? "var(--bad)" : !peer.up ? "var(--c7)" : what === "accuracy" && lowest.includes(peer) ? "var(--warn)" : "var(--c0)");
  const columns = honest.concat(others).map((peer) => ({
    name: peer.name, hollow: !peer.up, parts: [[peer.value, paint(peer)]],
    tip: [[peer.name + (peer.up ? "" : " (down)"), measure.format(peer.value)], ["group", peer.group || "–"], ...(peer.attack ? [["attack", peer.attack]] : [])],
  }));
  columnChart(byId("bars"), columns, measure.axis, measure.to);
  put(byId("bars-legend"), what === "accuracy" ? el("li", {}, swatch("var(--warn)"), "worst tenth") : null,
    el("li", {}, swatch("var(--c0)"), "honest peers"),
    others.some((peer) => peer.attack) ? el("li", {}, swatch("var(--bad)"), "attackers") : null,
    others.some((peer) => !peer.up && !peer.attack) ? el("li", {}, swatch("var(--c7)"), "down at the end") : null);
  put(byId("bars-words"), fairness(honest, lowest, measure, what));
  drawPeers(seed);
}

function fairness(honest, lowest, measure, what) {
  const values = honest.map((peer) => peer.value).filter(isNumber);
  if (values.length === 0) return "Nothing was measured.";
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const deviation = Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length);
  const tenth = lowest.reduce((a, peer) => a + peer.value, 0) / Math.max(1, lowest.length);
  const spreadWords = what === "accuracy" ? digits(deviation * 100, 2) + " points" : measure.format(deviation);
  return `${values.length} honest peers up at the end, from ${measure.format(values[0])} to ${measure.format(values[values.length - 1])}; mean ${measure.format(mean)}, ` +
    `standard deviation over peers ${spreadWords}; mean of the ${what === "accuracy" ? "worst" : "lowest"} tenth ${measure.format(tenth)}.`;
}

function drawPeers(seed) {
  const head = ["peer", "group", "attack", "state", "accuracy", "rounds", "received", "sent", "CPU"];
  const row = (peer) => [peer.name, peer.group, peer.attack || "", peer.up ? "up" : "down", percent(peer.accuracy), count(peer.rounds),
    bytes(peer.bytes_in), bytes(peer.bytes_out), digits(peer.cpu_s) + " s"];
  put(byId("peers"), el("thead", {}, el("tr", {}, ...head.map((name) => el("th", {}, name)))),
    el("tbody", {}, ...seed.outcome.peers.map((peer) => el("tr", {}, ...row(peer).map((cell) => el("td", {}, cell))))));
}

function drawPartition(seed, what) {
  const classes = Math.max(0, ...seed.peers.map((peer) => peer.classes.length));
  byId("partition-box").hidden = classes === 0;
  if (classes === 0) return;
  const columns = seed.peers.map((peer) => {
    const all = peer.classes.reduce((a, b) => a + b, 0) || 1;
    const parts = peer.classes.map((rows, index) => [what === "share" ? rows / all : rows, classColour(index, classes)]);
    const biggest = peer.classes.map((rows, index) => [rows, index]).sort((a, b) => b[0] - a[0]).slice(0, 5).filter(([rows]) => rows > 0);
    return { name: peer.name, parts, tip: [[peer.name, count(peer.rows) + " rows"], ...biggest.map(([rows, index]) => ["class " + index, count(rows) + " rows"])] };
  });
  columnChart(byId("partition"), columns, what === "share" ? axisPercent : count, what === "share" ? 1 : 0);
  put(byId("partition-legend"), ...(classes <= 30 ? Array.from({ length: classes }, (_, index) => el("li", {}, swatch(classColour(index, classes)), "class " + index)) : []));
  const rows = seed.peers.map((peer) => peer.rows);
  const seen = seed.peers.map((peer) => peer.classes.filter((each) => each > 0).length);
  const sum = (list) => list.reduce((a, b) => a + b, 0);
  put(byId("partition-words"), `${count(sum(rows))} rows; ${count(Math.min(...rows))} to ${count(Math.max(...rows))} a peer. ` +
    `A peer has rows of ${digits(sum(seen) / seen.length, 2)} of ${classes} classes on average.`);
}
