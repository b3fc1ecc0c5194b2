// Elements, numbers with units, colours. Text only ever becomes text nodes: what a run says is never read as markup.

const byId = (id) => document.getElementById(id);

function fill(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (key === "style") for (const [name, what] of Object.entries(value)) node.style.setProperty(name, what);
    else node.setAttribute(key, value === true ? "" : String(value));
  }
  for (const child of children) {
    if (child === null || child === undefined) continue;
    node.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return node;
}
const el = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
const svg = (tag, attributes, ...children) =>
  fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
const put = (host, ...children) => host.replaceChildren(...children.filter((child) => child !== null));

const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

function digits(value, most = 3) {
  if (!isNumber(value)) return "–";
  const size = Math.abs(value);
  if (size >= 1e6 || (size > 0 && size < 1e-3)) return value.toExponential(1);
  const places = size === 0 ? 0 : Math.max(0, most - 1 - Math.floor(Math.log10(size)));
  return String(Number(value.toFixed(Math.min(places, 6))));
}
const percent = (value) => (isNumber(value) ? (value * 100).toFixed(1) + " %" : "–");
const axisPercent = (value) => digits(value * 100, 3) + " %";
const count = (value) => (!isNumber(value) ? "–" : Math.abs(value) >= 100 ? String(Math.round(value)) : digits(value, 3));

function bytes(value) {
  if (!isNumber(value)) return "–";
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) { value /= 1000; unit += 1; }
  return digits(value, 3) + " " + units[unit];
}

// A time in milliseconds.
function time(ms) {
  if (!isNumber(ms)) return "–";
  const seconds = ms / 1000;
  if (seconds < 120) return digits(seconds, seconds < 10 ? 2 : 3) + " s";
  const minutes = Math.floor(Math.round(seconds) / 60);
  const rest = Math.round(seconds) % 60;
  if (minutes < 120) return minutes + " min" + (rest ? " " + rest + " s" : "");
  return Math.floor(minutes / 60) + " h" + (minutes % 60 ? " " + (minutes % 60) + " min" : "");
}
const seconds = (value) => time(value * 1000);
const wattHours = (value) => (isNumber(value) && value < 1 ? digits(value * 1000) + " mWh" : digits(value) + " Wh");

// Colours are names of the style sheet, so that both schemes have their own.
const colour = (index) => `var(--c${index % 8})`;
const resolved = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const classColour = (index, of) =>
  of <= 8 ? colour(index) : `hsl(${Math.round((index * 360) / of)} ${index % 2 ? 48 : 62}% ${index % 2 ? 58 : 47}%)`;

// A canvas of this size in CSS pixels, sharp on every screen.
function painter(canvas, width, height) {
  const ratio = Math.min(window.devicePixelRatio || 1, 3);
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.width = width + "px";
  canvas.style.height = height + "px";
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

// A note beside the pointer; lines are arrays of text, the second part is bold.
function showTip(box, x, y, lines) {
  hideTip(box);
  const tip = el("div", { class: "tip" });
  for (const [label, value] of lines) {
    tip.append(el("div", {}, label, value === undefined ? null : el("b", {}, " " + value)));
  }
  box.append(tip);
  const left = Math.min(Math.max(0, x + 14), Math.max(0, box.clientWidth - tip.offsetWidth));
  const flipped = x + 14 + tip.offsetWidth > box.clientWidth ? Math.max(0, x - 14 - tip.offsetWidth) : left;
  tip.style.left = flipped + "px";
  tip.style.top = Math.max(0, y - tip.offsetHeight - 8) + "px";
}
function hideTip(box) {
  for (const old of box.querySelectorAll(".tip")) old.remove();
}

const swatch = (style, extra) => el("span", { class: "swatch " + (extra || ""), style: style ? { "--c": style } : null });
