// Curves over seeds: each seed is put on a common grid, then mean, lowest and highest are taken.

const GRID = 240;

// [[x, y]] of one seed; x is a column name: t, rounds, bytes, cpu.
function column(network, x, y) {
  const found = [];
  let last = -Infinity;
  network[x].forEach((at, index) => {
    const value = network[y][index];
    if (isNumber(value) && at >= last) { found.push([at, value]); last = at; }
  });
  return found;
}

// Mean, lowest and highest over seeds, where at least half of them still run.
function overSeeds(seeds, x, y) {
  const curves = seeds.map((seed) => column(seed.network, x, y)).filter((points) => points.length > 0);
  if (curves.length === 0) return { mean: [], band: [] };
  if (curves.length === 1) return { mean: curves[0], band: [] };
  const ends = curves.map((points) => points[points.length - 1][0]).sort((a, b) => b - a);
  const end = ends[Math.ceil(ends.length / 2) - 1];
  const start = Math.min(...curves.map((points) => points[0][0]));
  const mean = [];
  const band = [];
  for (let step = 0; step <= GRID; step += 1) {
    const at = start + ((end - start) * step) / GRID;
    const values = curves.map((points) => valueAt(points, at)).filter(isNumber);
    if (values.length * 2 < curves.length) continue;
    mean.push([at, values.reduce((a, b) => a + b, 0) / values.length]);
    band.push([at, Math.min(...values), Math.max(...values)]);
  }
  return { mean, band };
}

const AXES = {
  t: { label: "time", format: time, time: true, from: 0 },
  rounds: { label: "rounds (mean of the peers)", format: count, from: 0 },
  bytes: { label: "bytes received by all peers", format: bytes, from: 0 },
  cpu: { label: "CPU seconds of all peers", format: (value) => digits(value) + " s", from: 0 },
};
const ACCURACY = { label: "accuracy", format: axisPercent, long: percent, to: 1 };

// Where moments lie on an axis that may be another than time.
function mover(network, x) {
  if (x === "t") return (ms) => ms;
  const points = network.t.map((at, index) => [at, network[x][index]]);
  return (ms) => valueAt(points, ms);
}

// Faults of a seed as marks of an axis.
function marksOf(seed, x) {
  const move = mover(seed.network, x);
  const place = (fault) => {
    const at = move(fault.t);
    return isNumber(at) ? at : fault.t <= (seed.network.t[0] || 0) ? 0 : NaN;
  };
  return seed.faults.map((fault, index) => ({ x: place(fault), label: index + 1, words: fault.words || fault.kind }));
}

// The lowest useful start of an accuracy axis: a little under what was seen, on a tenth.
function accuracyAxis(lines) {
  const seen = lines.flatMap((line) => line.points.map((point) => point[1])).filter(isNumber);
  const least = seen.reduce((a, b) => Math.min(a, b), 1);
  return { ...ACCURACY, from: Math.max(0, Math.floor(least * 10 - 0.2) / 10) };
}
