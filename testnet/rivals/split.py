#!/usr/bin/env python3
"""Deals the rows of a data set to peers, exactly as `peerlearn` does, and writes them to a file that every driver reads.

The same generator (ChaCha with 8 rounds), the same shuffle (crate rand 0.10) and the same steps as in
node/src/data/partition.rs, so that `--partition`, `--peers` and `--seed` mean the same rows here and there.
Nothing but Python's own library is needed.

File: one JSON object; "parts" is a list of lists of row indices, one list a peer, counted from 0 in the order of the
training file; the other fields say where it came from.
"""
import argparse
import gzip
import json
import math
import pathlib
import sys

REPO = pathlib.Path(__file__).resolve().parents[2]
LEAST_ROWS = 8
MASK = 0xFFFFFFFF


def source(data):
    """Where a data set lies: `digits`, `mnist` under the shared data, or any directory with IDX files."""
    if data == "digits":
        return REPO / "node/assets/optdigits.bin.gz"
    if data == "mnist":
        for place in (REPO.parent / "shared/data/mnist", REPO / "../shared/data/mnist"):
            if place.is_dir():
                return place.resolve()
        sys.exit("no ../shared/data/mnist here; name a directory with the IDX files instead of `mnist`")
    return pathlib.Path(data)


def read(data):
    """((pixels, labels) to train on, (pixels, labels) to test on, width of a row, largest pixel); pixels are bytes."""
    path = source(data)
    if path.is_dir():
        def idx(name, header):
            return gzip.open(path / name).read()[header:]
        train = idx("train-images-idx3-ubyte.gz", 16), idx("train-labels-idx1-ubyte.gz", 8)
        test = idx("t10k-images-idx3-ubyte.gz", 16), idx("t10k-labels-idx1-ubyte.gz", 8)
        return train, test, len(train[0]) // len(train[1]), 255
    raw, parts, at = gzip.open(path).read(), [], 0
    for _ in range(2):
        rows = int.from_bytes(raw[at:at + 4], "little")
        at += 4
        parts.append((raw[at:at + rows * 64], raw[at + rows * 64:at + rows * 65]))
        at += rows * 65
    return parts[0], parts[1], 64, 16


class Generator:
    """ChaCha8, seeded from one number as rand_core 0.10 does it."""

    def __init__(self, seed):
        state, key = seed & 0xFFFFFFFFFFFFFFFF, []
        for _ in range(8):
            state = (state * 0x5851F42D4C957F2D + 0xA17654E46FBE17F3) & 0xFFFFFFFFFFFFFFFF
            word, turn = (((state >> 18) ^ state) >> 27) & MASK, state >> 59
            key.append(((word >> turn) | (word << (-turn & 31))) & MASK)
        self.key, self.block, self.words = key, 0, []

    def u32(self):
        if not self.words:
            self.words = self._next_block()[::-1]
        return self.words.pop()

    def _next_block(self):
        start = [0x61707865, 0x3320646E, 0x79622D32, 0x6B206574, *self.key, self.block & MASK, self.block >> 32, 0, 0]
        x = start[:]
        for _ in range(4):
            for a, b, c, d in ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
                               (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)):
                for p, q, r, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
                    x[p] = (x[p] + x[q]) & MASK
                    mixed = x[r] ^ x[p]
                    x[r] = ((mixed << turn) | (mixed >> (32 - turn))) & MASK
        self.block += 1
        return [(now + first) & MASK for now, first in zip(x, start)]

    def below(self, bound):
        """A number from 0 to bound - 1 (Canon's method, as in rand's `random_range`)."""
        product = self.u32() * bound
        high, low = product >> 32, product & MASK
        if low > (1 << 32) - bound:
            high += low + (self.u32() * bound >> 32) > MASK
        return high

    def fraction(self):
        low = self.u32()
        return ((self.u32() << 32 | low) >> 11) * 2.0 ** -53

    def shuffle(self, items):
        """Fisher and Yates from the front; one draw serves as many positions as fit into 32 bits."""
        if len(items) <= 1:
            return
        chunk, left = 0, 1
        for at in range(len(items)):
            if left == 0:
                bound, factor = at + 1, at + 2
                while bound * factor <= MASK:
                    bound, factor = bound * factor, factor + 1
                chunk, left = self.below(bound), factor - (at + 1)
            left -= 1
            if left == 0:
                other = chunk
            else:
                chunk, other = divmod(chunk, at + 1)
            items[at], items[other] = items[other], items[at]

    def normal(self):
        radius, angle = 1.0 - self.fraction(), self.fraction()
        return math.sqrt(-2.0 * math.log(radius)) * math.cos(2.0 * math.pi * angle)

    def gamma(self, shape):
        """Marsaglia and Tsang 2000."""
        if shape < 1.0:
            uniform = 1.0 - self.fraction()
            return max(self.gamma(shape + 1.0) * uniform ** (1.0 / shape), sys.float_info.min)
        d = shape - 1.0 / 3.0
        c = 1.0 / math.sqrt(9.0 * d)
        while True:
            x = self.normal()
            v = (1.0 + c * x) ** 3
            uniform = 1.0 - self.fraction()
            if v > 0.0 and math.log(uniform) < 0.5 * x * x + d - d * v + d * math.log(v):
                return d * v


def cut(rows, pieces):
    return [rows[len(rows) * n // pieces:len(rows) * (n + 1) // pieces] for n in range(pieces)]


def dirichlet(rows, labels, parts, alpha, rng):
    dealt = [[] for _ in range(parts)]
    for label in range(max(labels) + 1):
        of_class = [row for row in rows if labels[row] == label]
        draws = [rng.gamma(alpha) for _ in range(parts)]
        total, start, share = sum(draws), 0, 0.0
        for part, draw in zip(dealt, draws):
            share += draw
            end = max(math.floor(len(of_class) * min(share / total, 1.0) + 0.5), start)
            part.extend(of_class[start:end])
            start = end
        dealt[-1].extend(of_class[start:])
    return dealt


def shards(rows, labels, parts, each, rng):
    pieces = cut(sorted(rows, key=lambda row: labels[row]), parts * each)
    rng.shuffle(pieces)
    return [sum(pieces[n * each:(n + 1) * each], []) for n in range(parts)]


def deal(labels, parts, how, seed):
    """Rows of each of `parts` peers; `how` is `iid`, `dirichlet:ALPHA` or `shards:K`."""
    rng, rows = Generator(seed), list(range(len(labels)))
    rng.shuffle(rows)
    kind, _, value = how.partition(":")
    if kind == "iid":
        dealt = cut(rows, parts)
    elif kind == "dirichlet":
        dealt = dirichlet(rows, labels, parts, float(value), rng)
    elif kind == "shards":
        dealt = shards(rows, labels, parts, int(value), rng)
    else:
        sys.exit(f"{how!r} is no partition; use iid, dirichlet:ALPHA or shards:K")
    least = min(max(len(labels) // parts // 2, 1), LEAST_ROWS)
    while (poor := next((n for n in range(parts) if len(dealt[n]) < least), None)) is not None:
        rich = max(range(parts), key=lambda n: (len(dealt[n]), n))
        dealt[poor].append(dealt[rich].pop())
    return [sorted(part) for part in dealt]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="digits", help="digits, mnist or a directory with IDX files")
    parser.add_argument("--peers", type=int, default=8)
    parser.add_argument("--partition", default="dirichlet:0.1", help="iid, dirichlet:ALPHA or shards:K")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", help="file to write; without it, rows and classes of each peer are shown")
    args = parser.parse_args()
    labels = read(args.data)[0][1]
    parts = deal(labels, args.peers, args.partition, args.seed)
    if args.out:
        about = {"data": args.data, "partition": args.partition, "seed": args.seed, "rows": len(labels)}
        pathlib.Path(args.out).write_text(json.dumps(about | {"parts": parts}))
    else:
        for part in parts:
            print(len(part), "rows,", len({labels[row] for row in part}), "classes")


if __name__ == "__main__":
    main()
