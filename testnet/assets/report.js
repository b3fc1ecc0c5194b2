// The report: draws every part from the data, again when a control or, on a live page, the data change.

let data = JSON.parse(byId("data").textContent);
let following = true;

const chosen = () => data.seeds[Math.min(Number(byId("seed").value) || 0, data.seeds.length - 1)];

function drawAccuracy() {
  const x = byId("axis").value;
  const seed = chosen();
  const many = data.seeds.length > 1;
  const three = [["best", "best peer", "var(--c2)", 1.5], ["mean", "mean of the peers", "var(--c0)", 2.5], ["worst", "worst peer", "var(--c1)", 2]];
  const curves = three.map(([key, name, paint, width]) => ({ name, colour: paint, width, ...overSeeds(data.seeds, x, key) }));
  const lines = curves.map(({ name, colour: paint, width, mean }) => ({ name, colour: paint, width, points: mean }));
  if (byId("every").checked) lines.unshift(...everyPeer(seed, x));
  const bands = curves.filter((curve) => curve.band.length).map((curve) => ({ colour: curve.colour, points: curve.band }));
  lineChart(byId("accuracy"), { x: AXES[x], y: accuracyAxis(lines), lines, bands, marks: marksOf(seed, x) });
  put(byId("accuracy-words"), (many ? `Lines are means over ${data.seeds.length} seeds, bands reach from the lowest to the highest seed; marks and thin lines are of seed ${seed.seed}. `
    : "One seed: there is no spread to show. ") + "Attackers and peers that are down do not count.");
}

function everyPeer(seed, x) {
  const move = mover(seed.network, x);
  return seed.curves.map((curve, index) => ({
    colour: seed.peers[index].attack ? "var(--bad)" : "var(--c7)", width: 0.8, opacity: 0.6,
    points: curve.t.map((ms, at) => [move(ms), curve.accuracy[at]]).filter((point) => isNumber(point[0])),
  }));
}

function drawDisagreement() {
  const x = byId("axis").value;
  const { mean, band } = overSeeds(data.seeds, x, "disagreement");
  const lines = [{ name: "disagreement", colour: "var(--c3)", points: mean }];
  lineChart(byId("disagreement"), { x: AXES[x], y: { label: "distance to the mean model", format: digits, log: true }, lines,
    bands: band.length ? [{ colour: "var(--c3)", points: band }] : [], marks: marksOf(chosen(), x), height: 240 });
}

function drawAmounts() {
  const x = byId("axis").value;
  const marks = marksOf(chosen(), x);
  const one = (host, y, key, paint) => lineChart(byId(host), { x: AXES[x], y, lines: [{ name: y.label, colour: paint, points: overSeeds(data.seeds, x, key).mean }], marks, height: 210 });
  one("bytes", { label: "bytes received by all peers", format: bytes, from: 0 }, "bytes", "var(--c5)");
  one("up", { label: "peers up", format: count, from: 0 }, "up", "var(--c4)");
}

// What a seed had used when an accuracy was first reached.
function reached(seed, measure, wanted) {
  const at = seed.network[measure].findIndex((value) => isNumber(value) && value >= wanted);
  if (at < 0) return null;
  const network = seed.network;
  return { t: network.t[at], rounds: network.rounds[at], bytes: network.bytes[at], cpu: network.cpu[at], peers: seed.peers.length };
}

function costRow(wanted, measure, wish) {
  const found = data.seeds.map((seed) => reached(seed, measure, wanted)).filter((each) => each !== null);
  const mean = (pick) => found.reduce((sum, each) => sum + pick(each), 0) / found.length;
  const cells = found.length === 0 ? ["never", "", "", "", "", ""] : [
    time(mean((each) => each.t)), digits(mean((each) => each.rounds)), bytes(mean((each) => each.bytes)), bytes(mean((each) => each.bytes / each.peers)),
    digits(mean((each) => each.cpu)) + " s", wattHours((mean((each) => each.cpu) * data.watts) / 3600)];
  const label = axisPercent(wanted) + (data.seeds.length > 1 ? ` (${found.length} of ${data.seeds.length} seeds)` : "");
  return el("tr", { class: wish ? "wish" : null }, ...[label, ...cells].map((cell) => el("td", {}, cell)));
}

function drawCost() {
  const measure = byId("measure").value;
  const wish = Number(byId("wish").value) / 100;
  put(byId("wish-value"), axisPercent(wish));
  const steps = [0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99];
  const head = ["accuracy", "time", "rounds", "bytes, all peers", "bytes a peer", "CPU, all peers", "energy, estimated"];
  put(byId("cost"), el("thead", {}, el("tr", {}, ...head.map((name) => el("th", {}, name)))),
    el("tbody", {}, costRow(wish, measure, true), ...steps.map((step) => costRow(step, measure, false))));
  put(byId("cost-words"), `When the accuracy was first reached; it may have fallen again. Means over the seeds that reached it. Energy is CPU seconds × ${data.watts} W, an estimate: nothing was measured at the plug.`);
}

function drawFaults() {
  const seed = chosen();
  byId("faults-box").hidden = seed.faults.length === 0;
  put(byId("faults"), ...seed.faults.map((fault) => el("li", {}, el("time", {}, time(fault.t)), " " + (fault.words || fault.kind))),
    seed.faults_left_out ? el("p", { class: "words" }, seed.faults_left_out + " further ones stand in faults.csv.") : null);
}

function drawMoment() {
  const seed = chosen();
  const slider = byId("moment");
  const ms = Math.round((Number(slider.value) / Number(slider.max)) * seed.topology.end_ms);
  put(byId("moment-value"), time(ms));
  drawGraph(seed, ms);
}

function drawSeedChoice() {
  const select = byId("seed");
  byId("seed-label").hidden = data.seeds.length < 2;
  if (select.options.length === data.seeds.length) return;
  const before = select.value;
  put(select, ...data.seeds.map((seed, index) => el("option", { value: index }, String(seed.seed))));
  select.value = before || "0";
}

function drawSeed() {
  const seed = chosen();
  drawAccuracy();
  drawFaults();
  drawDisagreement();
  drawAmounts();
  drawMoment();
  drawMatrix(seed, byId("matrix-what").value);
  drawBars(seed, byId("bar-what").value);
  drawPartition(seed, byId("partition-what").value);
}

function drawAll() {
  drawHead(data);
  drawRun(data);
  const empty = data.seeds.length === 0;
  document.querySelectorAll("main > section").forEach((section, index, all) => {
    if (index > 0 && index < all.length - 1) section.hidden = empty;
  });
  if (empty) return notice(byId("trouble"), "No seed has been started yet.");
  notice(byId("trouble"), "");
  drawSeedChoice();
  drawCost();
  drawSeed();
}

function play() {
  const slider = byId("moment");
  const button = byId("play");
  if (button.textContent === "Stop") return void put(button, "Play");
  put(button, "Stop");
  following = false;
  if (Number(slider.value) >= Number(slider.max)) slider.value = 0;
  let before = null;
  const step = (now) => {
    if (button.textContent !== "Stop") return;
    if (before === null || now - before >= 60) {
      const passed = before === null ? 0 : now - before;
      before = now;
      // Twelve seconds for the whole run.
      slider.value = Number(slider.value) + Math.max(1, (passed / 12000) * Number(slider.max));
      drawMoment();
    }
    if (Number(slider.value) >= Number(slider.max)) return void put(button, "Play");
    requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
}

function listen() {
  const on = (id, event, act) => byId(id).addEventListener(event, act);
  on("axis", "change", () => { drawAccuracy(); drawDisagreement(); drawAmounts(); });
  on("every", "change", drawAccuracy);
  on("seed", "change", drawSeed);
  on("measure", "change", drawCost);
  on("wish", "input", drawCost);
  on("moment", "input", () => { following = Number(byId("moment").value) >= Number(byId("moment").max); drawMoment(); });
  on("play", "click", play);
  on("matrix-what", "change", () => drawMatrix(chosen(), byId("matrix-what").value));
  on("bar-what", "change", () => drawBars(chosen(), byId("bar-what").value));
  on("partition-what", "change", () => drawPartition(chosen(), byId("partition-what").value));
  // Canvases hold colours, not names of colours.
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
}

// A live page asks every two seconds; one question at a time.
async function poll() {
  const badge = byId("live");
  badge.hidden = false;
  try {
    const answer = await fetch("data.json", { cache: "no-store" });
    if (!answer.ok) throw new Error("the server answered " + answer.status);
    data = await answer.json();
    if (following) byId("moment").value = byId("moment").max;
    drawAll();
    badge.classList.remove("lost");
    put(badge, data.cut ? "live" : "ended");
  } catch (error) {
    badge.classList.add("lost");
    put(badge, "no answer");
  }
  setTimeout(poll, 2000);
}

listen();
drawAll();
if (data.live) poll();
document.documentElement.dataset.ready = "1";
