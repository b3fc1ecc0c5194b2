// The top of a report: what it is, how it ended, what was wanted; and its end: how it was run.

function fact(label, value, more) {
  return el("li", {}, el("span", { class: "label" }, label), el("span", { class: "value" }, value),
    more ? el("span", { class: "more" }, more) : null);
}

const spread = (pair, format, seeds) => (seeds > 1 ? "± " + format(pair[1]) + " over " + seeds + " seeds" : "");

function drawHead(data) {
  const { info, outcome, seeds } = data;
  document.title = info.name + " · peerlearn";
  put(byId("name"), info.name || "run");
  put(byId("about"), info.about || "");
  const one = seeds[0];
  const peers = one ? one.peers.length : 0;
  put(byId("kind"), [info.driver, peers + " peers", seeds.length + " of " + info.seeds.length + " seeds"].filter(Boolean).join(" · "));
  notice(byId("cut"), data.cut && !data.live ? cutWords(data) : "");
  const points = (value) => digits(value * 100, 2) + " points";
  const amount = (pair, format) => spread(pair, format, seeds.length);
  put(byId("facts"),
    fact("worst peer", percent(outcome.worst[0]), amount(outcome.worst, points)),
    fact("mean of the peers", percent(outcome.mean[0]), amount(outcome.mean, points)),
    fact("worst tenth", percent(outcome.worst_tenth[0]), amount(outcome.worst_tenth, points)),
    fact(info.driver === "sim" ? "virtual time" : "time", seconds(outcome.seconds[0]), amount(outcome.seconds, seconds)),
    fact("rounds of the slowest", count(outcome.rounds_min[0]), amount(outcome.rounds_min, digits)),
    fact("bytes received", bytes(outcome.bytes_in[0]), peers ? bytes(outcome.bytes_in[0] / peers) + " a peer" : ""),
    fact("CPU time", seconds(outcome.cpu_s[0]), amount(outcome.cpu_s, seconds)),
    fact("energy, estimated", wattHours(outcome.watt_hours[0]), data.watts + " W a busy core"));
  drawExpectations(outcome.expectations);
}

function cutWords(data) {
  const missing = data.seeds.filter((seed) => !seed.outcome.finished).map((seed) => `seed ${seed.seed}: ${seed.outcome.reason}`);
  return "This run did not come to its end; the page shows what was written until then. " + missing.join("; ");
}

function notice(node, words) {
  node.hidden = !words;
  put(node, words);
}

function drawExpectations(expectations) {
  byId("wanted").hidden = expectations.length === 0;
  put(byId("expectations"), ...expectations.map((each) => el("li", {},
    el("span", { class: "tag " + (each.passed ? "passed" : "failed") }, each.passed ? "✓ yes" : "✗ no"),
    each.words + " ", el("span", { class: "measured" }, "Measured: " + each.measured))));
}

function drawRun(data) {
  const { info } = data;
  const machine = info.machine;
  const rows = [
    ["command", info.command], ["driver", info.driver], ["link faults", info.link_faults],
    ["version", info.version + (info.commit ? ", commit " + info.commit : "")], ["started", info.started],
    ["seeds", info.seeds.join(", ")],
    ["machine", [machine.cpu, machine.cores + " cores", bytes(machine.memory_mb * 1e6) + " memory", machine.os].join(", ")],
    ["ends", data.seeds.map((seed) => `seed ${seed.seed}: ${seed.outcome.reason || "–"}`).join("; ")],
    ["peak memory", data.seeds.map((seed) => seed.outcome.peak_rss_mb).filter(isNumber).map((mb) => bytes(mb * 1e6)).join(", ")],
    ["energy", `CPU seconds × ${data.watts} W / 3600. An estimate: ${data.watts} W is a guess for one busy core; memory, disks and networks are not in it.`],
  ];
  put(byId("run"), ...rows.filter((row) => row[1]).flatMap(([key, value]) => [el("dt", {}, key), el("dd", {}, value)]));
  put(byId("notes"), ...info.notes.map((note) => el("li", {}, note)));
  put(byId("scenario"), data.scenario || "The scenario was not kept.");
  const limit = data.thinning;
  put(byId("thinning"), `The tables beside this page hold every row. The page holds, for each seed, at most ${limit.samples} samples of the network ` +
    `(every k-th and the last), ${limit.points} points of the curves of single peers together, ${limit.mixes} pairs of taker and giver a moment ` +
    `(moments are widened until they fit), ${limit.links} connections, ${limit.faults} faults, and ${limit.cells} rows of who mixed whom ` +
    `(beyond that neighbouring peers share one). Curves over seeds are put on a grid of ${GRID} points; numbers have five digits.`);
}
