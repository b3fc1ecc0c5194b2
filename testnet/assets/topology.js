// Peers in a circle, group by group; thin lines are connections, thick ones models mixed lately.

// Every fourth number of a flat list begins an entry.
const entries = (flat, length) => Array.from({ length: flat.length / length }, (_, index) => flat.slice(index * length, (index + 1) * length));

function groupsOf(peers) {
  return [...new Set(peers.map((peer) => peer.group))];
}

function circle(seed, width, height) {
  const groups = groupsOf(seed.peers);
  const order = seed.peers.map((_, index) => index).sort((a, b) =>
    groups.indexOf(seed.peers[a].group) - groups.indexOf(seed.peers[b].group) || a - b);
  const named = order.length <= 40;
  const room = named ? Math.min(90, 12 + 7 * Math.max(...seed.peers.map((peer) => peer.name.length), 1)) : 16;
  const [rx, ry] = [width / 2 - room, height / 2 - (named ? 38 : 16)];
  const radius = Math.max(20, Math.min(rx, ry));
  const places = [];
  order.forEach((peer, place) => {
    const turn = (place / order.length) * 2 * Math.PI - Math.PI / 2;
    places[peer] = { x: width / 2 + radius * Math.cos(turn), y: height / 2 + radius * Math.sin(turn), turn };
  });
  return { places, named, groups, dot: Math.max(3, Math.min(11, (radius * 1.6) / Math.max(order.length, 8))) };
}

// The state of the network at a time: connections, mixes of the last moments, peers down.
function stateAt(topology, ms) {
  const within = ([, from, to]) => from <= ms && (ms < to || to >= topology.end_ms);
  const moment = Math.floor(ms / topology.moment_ms);
  const mixes = new Map();
  for (const [at, to, from, models] of entries(topology.mixes, 4)) {
    if (at > moment || at < moment - 1) continue;
    const key = to < from ? to + " " + from : from + " " + to;
    mixes.set(key, (mixes.get(key) || 0) + models);
  }
  return {
    links: entries(topology.links, 4).filter(([a, , from, to]) => within([a, from, to])),
    mixes: [...mixes].map(([key, models]) => [...key.split(" ").map(Number), models]),
    down: new Set(entries(topology.down, 3).filter(within).map(([peer]) => peer)),
  };
}

function drawGraph(seed, ms) {
  const canvas = byId("graph");
  const box = canvas.parentElement;
  const width = Math.max(box.clientWidth, 240);
  const height = Math.round(Math.min(width * 1.02, 560));
  const context = painter(canvas, width, height);
  const layout = circle(seed, width, height);
  const now = stateAt(seed.topology, ms);
  drawEdges(context, layout, now);
  seed.peers.forEach((peer, index) => drawPeer(context, layout, seed, index, now, ms));
  graphTips(canvas, box, seed, layout, now, ms);
  graphWords(seed, layout, now, ms);
  watchWidth(box, () => drawGraph(seed, ms));
}

function drawEdges(context, { places }, now) {
  const line = (a, b) => {
    if (!places[a] || !places[b]) return;
    context.beginPath();
    context.moveTo(places[a].x, places[a].y);
    context.lineTo(places[b].x, places[b].y);
    context.stroke();
  };
  context.strokeStyle = resolved("--soft");
  context.globalAlpha = Math.max(0.02, Math.min(0.45, 40 / Math.max(1, now.links.length)));
  context.lineWidth = 1;
  for (const [a, b] of now.links) line(a, b);
  const most = Math.max(1, ...now.mixes.map(([, , models]) => models));
  context.strokeStyle = resolved("--c0");
  context.globalAlpha = Math.max(0.15, Math.min(0.75, 60 / Math.max(1, now.mixes.length)));
  for (const [a, b, models] of now.mixes) {
    context.lineWidth = 1.2 + 2.6 * Math.sqrt(models / most);
    line(a, b);
  }
  context.globalAlpha = 1;
}

function drawPeer(context, { places, named, groups, dot }, seed, index, now, ms) {
  const peer = seed.peers[index];
  const { x, y, turn } = places[index];
  const down = now.down.has(index);
  context.beginPath();
  if (peer.attack) {
    const reach = dot * 1.35;
    context.moveTo(x, y - reach); context.lineTo(x + reach, y); context.lineTo(x, y + reach); context.lineTo(x - reach, y);
    context.closePath();
  } else context.arc(x, y, dot, 0, 2 * Math.PI);
  context.fillStyle = resolved("--card");
  context.fill();
  if (!down) {
    context.fillStyle = resolved("--c" + (groups.indexOf(peer.group) % 8));
    context.fill();
  }
  context.lineWidth = peer.attack ? 2.5 : 1.5;
  context.setLineDash(down ? [3, 3] : []);
  context.strokeStyle = resolved(peer.attack ? "--bad" : down ? "--soft" : "--card");
  context.stroke();
  context.setLineDash([]);
  accuracyArc(context, seed.curves[index], ms, x, y, dot, down);
  if (!named) return;
  const cos = Math.cos(turn);
  context.fillStyle = resolved(down ? "--soft" : "--ink");
  context.font = "12px system-ui, 'DejaVu Sans', sans-serif";
  context.textAlign = Math.abs(cos) < 0.15 ? "center" : cos > 0 ? "left" : "right";
  context.textBaseline = "middle";
  context.fillText(peer.name.slice(0, 16), x + cos * (dot + 9), y + Math.sin(turn) * (dot + 15));
}

// The newest accuracy at or before a time.
function accuracyAt(curve, ms) {
  let found = null;
  for (let index = 0; index < curve.t.length && curve.t[index] <= ms; index += 1) found = curve.accuracy[index];
  return found;
}

// A ring that closes as the accuracy nears 100 %.
function accuracyArc(context, curve, ms, x, y, dot, down) {
  const accuracy = curve ? accuracyAt(curve, ms) : null;
  if (!isNumber(accuracy) || down) return;
  context.beginPath();
  context.arc(x, y, dot + 3, -Math.PI / 2, -Math.PI / 2 + 2 * Math.PI * Math.min(0.9999, accuracy));
  context.lineWidth = 2;
  context.strokeStyle = resolved("--good");
  context.stroke();
}

function graphTips(canvas, box, seed, { places }, now, ms) {
  canvas.onpointerleave = () => hideTip(box);
  canvas.onpointermove = (event) => {
    const area = canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - area.left, event.clientY - area.top];
    const distance = (place) => Math.hypot(place.x - x, place.y - y);
    let best = -1;
    places.forEach((place, index) => { if (best < 0 || distance(place) < distance(places[best])) best = index; });
    if (best < 0 || distance(places[best]) > 24) return hideTip(box);
    const peer = seed.peers[best];
    const links = now.links.filter(([a, b]) => a === best || b === best).length;
    const shift = canvas.offsetLeft;
    showTip(box, x + shift, y, [
      [peer.name + (now.down.has(best) ? " (down)" : "")], ["group", peer.group || "–"],
      ...(peer.attack ? [["attack", peer.attack]] : []),
      ["accuracy", percent(accuracyAt(seed.curves[best], ms))], ["connections", String(links)],
    ]);
  };
}

function graphWords(seed, { groups }, now, ms) {
  const topology = seed.topology;
  const label = (name) => name || "no group";
  put(byId("graph-legend"),
    ...(groups.length > 1 || groups[0] ? groups.slice(0, 24).map((name, index) => el("li", {}, swatch(colour(index)), label(name))) : []),
    seed.peers.some((peer) => peer.attack) ? el("li", {}, swatch(null, "attack"), "attacker") : null,
    topology.down.length ? el("li", {}, swatch(null, "hollow"), "down") : null,
    el("li", {}, swatch("var(--good)", "stroke"), "accuracy (a full ring is 100 %)"),
    topology.links.length ? el("li", {}, swatch("var(--soft)", "stroke"), "connected") : null,
    el("li", {}, swatch("var(--c0)", "stroke"), "mixed within " + time(2 * topology.moment_ms)));
  const models = now.mixes.reduce((sum, [, , each]) => sum + each, 0);
  const out = topology.links_left_out + topology.mixes_left_out;
  put(byId("graph-words"), `At ${time(ms)}: ${seed.peers.length - now.down.size} of ${seed.peers.length} peers up, ` +
    (topology.links.length ? `${now.links.length} connections, ` : "") +
    `${models} models mixed lately.` + (out ? ` ${topology.links_left_out} connections and ${topology.mixes_left_out} mixes did not fit and are left out.` : ""));
}
