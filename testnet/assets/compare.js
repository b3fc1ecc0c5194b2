// Runs side by side: curves over each other, outcomes with their spread, and what chance alone could have done.

const data = JSON.parse(byId("data").textContent);

function overlay(host, x, key, y, height) {
  const drawn = data.runs.map((run, index) => ({ run, paint: colour(index), ...overSeeds(run.seeds, x, key) }));
  const lines = drawn.map(({ run, paint, mean }) => ({ name: run.label, colour: paint, width: 2.2, points: mean }));
  const bands = drawn.filter(({ band }) => band.length).map(({ paint, band }) => ({ colour: paint, points: band }));
  lineChart(byId(host), { x: AXES[x], y: y || accuracyAxis(lines), lines, bands, height });
}

function drawCurves() {
  const x = byId("axis").value;
  overlay("accuracy", x, byId("measure").value);
  overlay("disagreement", x, "disagreement", { label: "distance to the mean model", format: digits, log: true }, 240);
  put(byId("accuracy-words"), "Lines are means over the seeds of a run, bands reach from the lowest to the highest seed. A run of one seed has no band.");
}

const FORMATS = { fraction: percent, seconds, bytes, number: digits, watt_hours: wattHours };

function drawOutcomes() {
  const head = ["", ...data.runs.map((run) => run.label)];
  const cell = (metric, values) => {
    const format = FORMATS[metric.unit] || digits;
    if (!values.mean_and_deviation) return "–";
    const [mean, deviation] = values.mean_and_deviation;
    const spreadText = metric.unit === "fraction" ? digits(deviation * 100, 2) + " points" : format(deviation);
    return format(mean) + (values.seeds > 1 ? " ± " + spreadText : "");
  };
  put(byId("outcomes"), el("thead", {}, el("tr", {}, ...head.map((name) => el("th", {}, name)))),
    el("tbody", {}, ...data.metrics.map((metric) => el("tr", {}, ...[metric.name, ...metric.runs.map((values) => cell(metric, values))].map((text) => el("td", {}, text))))));
  put(byId("verdicts"), ...data.verdicts.map((verdict) => el("li", {}, verdict)));
  put(byId("verdict-words"), data.method);
}

function drawRuns() {
  const head = ["run", "driver", "seeds", "peers", "version", "machine", "state", "directory"];
  const row = (run) => [run.label, run.info.driver, String(run.seeds.length), String(run.peers), run.info.version, `${run.info.machine.cpu}, ${run.info.machine.cores} cores`,
    run.cut ? "cut" : "finished", run.directory];
  put(byId("runs"), el("thead", {}, el("tr", {}, ...head.map((name) => el("th", {}, name)))),
    el("tbody", {}, ...data.runs.map((run) => el("tr", {}, ...row(run).map((cell) => el("td", {}, cell))))));
}

function drawAll() {
  document.title = data.runs.map((run) => run.label).join(" and ") + " · peerlearn";
  put(byId("name"), data.runs.map((run) => run.label).join(" against "));
  put(byId("facts"), ...data.runs.map((run, index) => el("li", {}, el("span", { class: "label" }, swatch(colour(index)), run.label),
    el("span", { class: "value" }, percent(run.worst)), el("span", { class: "more" }, `worst peer, ${run.seeds.length} seeds, ${run.peers} peers` + (run.cut ? ", cut" : "")))));
  drawCurves();
  drawOutcomes();
  drawRuns();
}

byId("axis").addEventListener("change", drawCurves);
byId("measure").addEventListener("change", drawCurves);
drawAll();
document.documentElement.dataset.ready = "1";
