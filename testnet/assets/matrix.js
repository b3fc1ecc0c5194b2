// Who mixed whom: rows take, columns give.

function heat(part) {
  const [low, high] = ["--heat0", "--heat1"].map((name) => resolved(name).split(" ").map(Number));
  return low.map((value, index) => Math.round(value + (high[index] - value) * part));
}

function drawMatrix(seed, what) {
  const { size, block } = seed.matrix;
  const cells = seed.matrix[what];
  const canvas = byId("matrix");
  const box = canvas.parentElement;
  const words = byId("matrix-words");
  const most = cells.reduce((a, b) => Math.max(a, b), 0);
  canvas.hidden = most === 0;
  if (most === 0) return put(words, "No model was mixed.");
  const width = Math.max(240, box.clientWidth);
  const named = block === 1 && size <= 40;
  const longest = Math.max(...seed.peers.map((peer) => peer.name.length));
  const margin = named ? Math.min(110, 10 + longest * 7) : 8;
  const cell = Math.max(1, Math.min(34, Math.floor((Math.min(width, 640) - margin - 4) / size)));
  const side = margin + cell * size + 4;
  const context = painter(canvas, side, side);
  for (let row = 0; row < size; row += 1) {
    for (let column = 0; column < size; column += 1) {
      const value = cells[row * size + column];
      context.fillStyle = row === column && block === 1 ? resolved("--grid") : `rgb(${heat(value ? 0.06 + (0.94 * value) / most : 0).join(" ")})`;
      context.fillRect(margin + column * cell, margin + row * cell, cell > 9 ? cell - 1 : cell, cell > 9 ? cell - 1 : cell);
    }
  }
  if (named && cell >= 9) matrixNames(context, seed, margin, cell);
  matrixTips(canvas, box, seed, what, margin, cell);
  put(words, matrixSentence(seed, what, most));
  watchWidth(box, () => drawMatrix(seed, what));
}

const amountOf = (what, value) => (what === "models" ? count(value) + (value === 1 ? " model" : " models") : bytes(value * 1000));

function matrixNames(context, seed, margin, cell) {
  context.fillStyle = resolved("--soft");
  context.font = `${Math.min(12, cell + 1)}px system-ui, 'DejaVu Sans', sans-serif`;
  context.textBaseline = "middle";
  seed.peers.forEach((peer, index) => {
    const middle = margin + (index + 0.5) * cell;
    const name = peer.name.slice(0, 14);
    context.textAlign = "right";
    context.fillText(name, margin - 5, middle);
    context.save();
    context.translate(middle, margin - 5);
    context.rotate(-Math.PI / 2);
    context.textAlign = "left";
    context.fillText(name, 0, 0);
    context.restore();
  });
}

function blockName(seed, at) {
  const { block } = seed.matrix;
  const first = seed.peers[at * block];
  const last = seed.peers[Math.min((at + 1) * block, seed.peers.length) - 1];
  return !first ? "?" : first === last ? first.name : first.name + " to " + last.name;
}

function matrixTips(canvas, box, seed, what, margin, cell) {
  const { size } = seed.matrix;
  canvas.onpointerleave = () => hideTip(box);
  canvas.onpointermove = (event) => {
    const area = canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - area.left, event.clientY - area.top];
    const [column, row] = [Math.floor((x - margin) / cell), Math.floor((y - margin) / cell)];
    if (column < 0 || row < 0 || column >= size || row >= size) return hideTip(box);
    showTip(box, x + canvas.offsetLeft, y, [[`${blockName(seed, row)} took of ${blockName(seed, column)}:`, amountOf(what, seed.matrix[what][row * size + column])]]);
  };
}

function matrixSentence(seed, what, most) {
  const { block, size } = seed.matrix;
  const cells = seed.matrix[what];
  const pairs = cells.filter((value, at) => value > 0 && (block > 1 || Math.floor(at / size) !== at % size)).length;
  const total = cells.reduce((a, b) => a + b, 0);
  const possible = block > 1 ? size * size : size * (size - 1);
  return `Rows take, columns give; the darker or, on a dark page, the brighter, the more, up to ${amountOf(what, most)}. ` +
    `${amountOf(what, total)} in all; ${pairs} of ${possible} ${block > 1 ? "cells" : "ordered pairs"} met.` +
    (block > 1 ? ` A cell stands for ${block} by ${block} peers.` : "");
}
