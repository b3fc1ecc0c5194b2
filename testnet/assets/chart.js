// Line charts: axes with units, bands, marks of faults, and the values under the pointer.

function niceStep(span, most) {
  const rough = span / Math.max(1, most);
  const power = Math.pow(10, Math.floor(Math.log10(rough)));
  return [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((step) => step >= rough);
}

// Steps that people count time in, in milliseconds.
const TIME_STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 3e4, 6e4, 12e4, 3e5, 6e5, 12e5, 18e5, 36e5, 72e5, 216e5, 432e5, 864e5];

function ticks(axis, most) {
  if (axis.log) {
    const found = [];
    const first = Math.ceil(Math.log10(axis.min) - 1e-9);
    const last = Math.floor(Math.log10(axis.max) + 1e-9);
    const skip = Math.max(1, Math.ceil((last - first + 1) / most));
    for (let power = first; power <= last; power += skip) found.push(Math.pow(10, power));
    if (found.length < 2) return [axis.min, Math.sqrt(axis.min * axis.max), axis.max];
    return found;
  }
  const span = axis.max - axis.min;
  const step = (axis.time && TIME_STEPS.find((each) => each >= span / most)) || niceStep(span, most);
  const found = [];
  for (let at = Math.ceil(axis.min / step - 1e-9) * step; at <= axis.max + step * 1e-6; at += step) found.push(at);
  return found;
}

function bounds(values, axis) {
  const seen = values.filter((value) => isNumber(value) && (!axis.log || value > 0));
  let min = seen.reduce((a, b) => Math.min(a, b), Infinity);
  let max = seen.reduce((a, b) => Math.max(a, b), -Infinity);
  if (isNumber(axis.from)) min = axis.from;
  if (isNumber(axis.to)) max = Math.max(axis.to, axis.from || 0);
  if (!isNumber(min) || !isNumber(max)) return null;
  if (axis.log) return max > min ? { min: min / 1.1, max: max * 1.1 } : { min: min / 2, max: max * 2 };
  if (max > min) return { min, max };
  return { min: min - 0.5, max: max + 0.5 };
}

// Draws into `host`. `plan`: title, x and y {label, format, log, time, from, to}, lines [{name, colour, width, dash, points: [[x, y]]}],
// bands [{colour, points: [[x, low, high]]}], marks [{x, label, words}], height.
function lineChart(host, plan) {
  const draw = () => {
    const lines = plan.lines.filter((line) => line.points.some((point) => isNumber(point[1]) && (!plan.y.log || point[1] > 0)));
    const points = lines.flatMap((line) => line.points);
    const x = bounds(points.map((point) => point[0]), plan.x);
    const y = bounds(points.map((point) => point[1]).concat((plan.bands || []).flatMap((band) => band.points.flatMap((p) => [p[1], p[2]]))), plan.y);
    if (!x || !y) {
      put(host, el("p", { class: "empty" }, (plan.title ? plan.title + ": " : "") + "nothing was measured."));
      return;
    }
    put(host, ...picture(host, plan, lines, { ...plan.x, ...x }, { ...plan.y, ...y }));
  };
  draw();
  watchWidth(host, draw);
}

// Draws again when the width changes; one watcher an element.
const watched = new Map();
const sizes = new ResizeObserver((entries) => {
  for (const entry of entries) {
    const known = watched.get(entry.target);
    if (known && Math.abs(known.width - entry.contentRect.width) > 1) {
      known.width = entry.contentRect.width;
      // Not within the observation: a drawing changes sizes, and the browser would complain of a loop.
      requestAnimationFrame(() => known.draw());
    }
  }
});
function watchWidth(host, draw) {
  const known = watched.get(host);
  watched.set(host, { width: known ? known.width : host.clientWidth, draw });
  if (!known) sizes.observe(host);
}

function scale(axis, from, to) {
  const place = axis.log ? Math.log : (value) => value;
  const low = place(axis.min);
  const span = place(axis.max) - low || 1;
  return (value) => from + ((place(value) - low) / span) * (to - from);
}

function picture(host, plan, lines, x, y) {
  const width = Math.max(host.clientWidth, 240);
  const height = plan.height || Math.max(240, Math.min(380, width * 0.45));
  const marks = (plan.marks || []).filter((mark) => mark.x >= x.min && mark.x <= x.max);
  const yTicks = ticks(y, height < 260 ? 4 : 6);
  const labelWidth = Math.max(...yTicks.map((at) => y.format(at).length)) * 7 + 10;
  const frame = { left: labelWidth, right: width - 12, top: (plan.title || plan.y.label ? 26 : 12) + (marks.length ? 16 : 0), bottom: height - 40 };
  const toX = scale(x, frame.left, frame.right);
  const toY = scale(y, frame.bottom, frame.top);
  const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, height, role: "img", "aria-label": plan.title || plan.y.label });
  root.append(svg("text", { x: 0, y: 13, class: "title" }, plan.title || plan.y.label));
  axes(root, frame, x, y, toX, toY, yTicks, width);
  drawMarks(root, marks, frame, toX);
  for (const band of plan.bands || []) root.append(area(band, toX, toY, frame, y));
  for (const line of lines) root.append(path(line, toX, toY, frame, y));
  const cross = svg("line", { class: "cross", y1: frame.top, y2: frame.bottom, visibility: "hidden" });
  root.append(cross);
  hover(host, root, cross, { plan, lines, marks, frame, x, y, toX, width });
  const named = lines.filter((line) => line.name);
  // The title names a line that is alone.
  if (named.length < 2) return [root];
  return [root, el("ul", { class: "legend" }, ...named.map((line) => el("li", {}, swatch(line.colour, "stroke"), line.name)))];
}

function axes(root, frame, x, y, toX, toY, yTicks, width) {
  for (const at of yTicks) {
    const place = toY(at);
    root.append(svg("line", { class: "grid", x1: frame.left, x2: frame.right, y1: place, y2: place }));
    root.append(svg("text", { x: frame.left - 6, y: place + 4, "text-anchor": "end" }, y.format(at)));
  }
  let free = -Infinity;
  for (const at of ticks(x, Math.max(3, Math.floor(width / 110)))) {
    const place = toX(at);
    const label = x.format(at);
    root.append(svg("line", { class: "axis", x1: place, x2: place, y1: frame.bottom, y2: frame.bottom + 4 }));
    const half = label.length * 3.4;
    const middle = Math.min(place, width - half - 1);
    if (middle - half < free) continue;
    free = middle + half + 6;
    root.append(svg("text", { x: middle, y: frame.bottom + 18, "text-anchor": "middle" }, label));
  }
  root.append(svg("line", { class: "axis", x1: frame.left, x2: frame.right, y1: frame.bottom, y2: frame.bottom }));
  root.append(svg("text", { x: frame.right, y: frame.bottom + 34, "text-anchor": "end" }, x.label));
}

// Numbers over the plot, those that would touch joined as "3–5".
function drawMarks(root, marks, frame, toX) {
  let group = null;
  const groups = [];
  for (const mark of [...marks].sort((a, b) => a.x - b.x)) {
    const place = toX(mark.x);
    root.append(svg("line", { class: "mark", x1: place, x2: place, y1: frame.top, y2: frame.bottom }, svg("title", {}, mark.words)));
    if (group && place - group.at < 26) group.last = mark.label;
    else groups.push((group = { at: place, first: mark.label, last: mark.label }));
  }
  for (const each of groups) {
    const label = each.first === each.last ? String(each.first) : each.first + "–" + each.last;
    const place = Math.min(each.at, frame.right - label.length * 3.5);
    root.append(svg("text", { class: "mark-text", x: place, y: frame.top - 5, "text-anchor": "middle" }, label));
  }
}

const clamp = (value, frame) => Math.max(frame.top - 1, Math.min(frame.bottom + 1, value));

function path(line, toX, toY, frame, y) {
  let text = "";
  let pen = "M";
  for (const [at, value] of line.points) {
    if (!isNumber(value) || (y.log && value <= 0)) { pen = "M"; continue; }
    text += `${pen}${toX(at).toFixed(1)} ${clamp(toY(value), frame).toFixed(1)}`;
    pen = "L";
  }
  return svg("path", { class: "line", d: text, "stroke-width": line.width || 2, "stroke-dasharray": line.dash, opacity: line.opacity, style: { "--c": line.colour } });
}

function area(band, toX, toY, frame, y) {
  const fits = band.points.filter((point) => isNumber(point[1]) && isNumber(point[2]) && (!y.log || point[1] > 0));
  const side = (which) => fits.map((point) => `${toX(point[0]).toFixed(1)} ${clamp(toY(point[which]), frame).toFixed(1)}`);
  const text = fits.length ? "M" + side(2).join("L") + "L" + side(1).reverse().join("L") + "Z" : "";
  return svg("path", { class: "band", d: text, style: { "--c": band.colour } });
}

// The value of rising points at x, between its neighbours; nothing outside.
function valueAt(points, x) {
  let low = 0;
  let high = points.length - 1;
  if (high < 0 || x < points[0][0] || x > points[high][0]) return null;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (points[middle][0] <= x) low = middle;
    else high = middle;
  }
  const [a, b] = [points[low], points[high]];
  if (!isNumber(a[1]) || !isNumber(b[1])) return isNumber(a[1]) ? a[1] : b[1];
  return b[0] > a[0] ? a[1] + ((x - a[0]) / (b[0] - a[0])) * (b[1] - a[1]) : b[1];
}

function hover(host, root, cross, { plan, lines, marks, frame, x, y, toX, width }) {
  const leave = () => { cross.setAttribute("visibility", "hidden"); hideTip(host); };
  root.addEventListener("pointerleave", leave);
  root.addEventListener("pointermove", (event) => {
    const box = root.getBoundingClientRect();
    const at = ((event.clientX - box.left) / box.width) * width;
    if (at < frame.left || at > frame.right) return leave();
    const part = (at - frame.left) / (frame.right - frame.left);
    const value = x.log ? x.min * Math.pow(x.max / x.min, part) : x.min + part * (x.max - x.min);
    cross.setAttribute("x1", at);
    cross.setAttribute("x2", at);
    cross.setAttribute("visibility", "visible");
    const near = marks.filter((mark) => Math.abs(toX(mark.x) - at) < 8).slice(0, 4);
    showTip(host, at, event.clientY - box.top, [
      [plan.x.label, x.format(value)],
      ...lines.filter((line) => line.name).map((line) => [line.name, (y.long || y.format)(valueAt(line.points, value))]),
      ...near.map((mark) => [mark.label + ". " + mark.words]),
    ]);
  });
}
