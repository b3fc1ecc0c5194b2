#!/usr/bin/env python3
"""Lets `peerlearn-testnet` deal the rows of a data set to peers, and writes them to a file that every driver reads.

So `--partition`, `--peers` and `--seed` mean the same rows here and there. Build it first:
cargo build --release -p peerlearn-testnet. Nothing but Python's own library is needed besides.

File: one JSON object; "parts" is a list of lists of row indices, one list a peer, counted from 0 in the order of the
training file; the other fields say where it came from.
"""
import argparse
import gzip
import json
import os
import pathlib
import subprocess
import sys
import tempfile

REPO = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", REPO / "target")) / "release/peerlearn-testnet"
SCENARIO = REPO / "testnet/scenarios/smoke.toml"


def source(data):
    """Where a data set lies: `digits`, `mnist` under the shared data, or any directory with IDX files."""
    if data == "digits":
        return REPO / "node/data/assets/optdigits.bin.gz"
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


def deal(data, parts, how, seed, program=None):
    """Rows of each of `parts` peers; `how` is `iid`, `dirichlet:ALPHA` or `shards:K`."""
    place = "digits" if data == "digits" else source(data)
    settings = {"data.source": f'"{place}"', "data.partition": f'"{how}"', "group.0.count": parts}
    flags = [flag for key, value in settings.items() for flag in ("--set", f"{key}={value}")]
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "partition.json"
        command = [program or PROGRAM, "partition", SCENARIO, "--seed", str(seed), "--save", file, *flags]
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            sys.exit(f"{program or PROGRAM} does not deal these rows: {done.stderr.strip()}")
        return json.loads(file.read_text())["parts"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="digits", help="digits, mnist or a directory with IDX files")
    parser.add_argument("--peers", type=int, default=8)
    parser.add_argument("--partition", default="dirichlet:0.1", help="iid, dirichlet:ALPHA or shards:K")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", help="file to write; without it, rows and classes of each peer are shown")
    args = parser.parse_args()
    labels = read(args.data)[0][1]
    parts = deal(args.data, args.peers, args.partition, args.seed)
    if args.out:
        about = {"data": args.data, "partition": args.partition, "seed": args.seed, "rows": len(labels)}
        pathlib.Path(args.out).write_text(json.dumps(about | {"parts": parts}))
    else:
        for part in parts:
            print(len(part), "rows,", len({labels[row] for row in part}), "classes")


if __name__ == "__main__":
    main()
