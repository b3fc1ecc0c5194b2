#!/usr/bin/env python3
"""Several people, each with a file of its own: how far is the worst of them from one model on all rows?

A data set is cut among peers by Dirichlet(0.1) over classes, as real files (heart is not cut: it is FLamby's four hospitals): every file has its columns in an order of its own
and one column more. Peer 0 makes the task from its own file and the list of classes (`peerlearn new`), the others join with its
ticket, each with nothing but its own file. Real processes on loopback. Compared with the same model trained on the pooled file,
and with each peer alone.

Usage: scripts/own-files.py [--peerlearn PATH] [--data DIR] [--seeds N] [--rounds N] [--peers N] [SET ...]
"""
import argparse, csv, gzip, json, os, random, shutil, subprocess, sys, tempfile, time
from pathlib import Path

SETS = ["pendigits", "letter", "satimage", "spambase", "wdbc", "heart"]


def lines(path, sep=","):
    opened = gzip.open(path, "rt") if str(path).endswith(".gz") else open(path)
    with opened as file:
        return [[cell.strip() for cell in line.strip().replace(" ", sep).split(sep)] for line in file if line.strip()]


def load(name, root, seed):
    """Rows (features, label) for training and for testing."""
    split = lambda rows, at=-1: [(row[:at] + (row[at + 1:] if at != -1 else []), row[at]) for row in rows]
    one = lambda folder, part: next(path for path in sorted((root / folder).iterdir()) if part in path.name)
    if name == "pendigits":
        return split(lines(one(name, "tra"))), split(lines(one(name, "tes")))
    rows = {
        "letter": lambda: split(lines(one("letter", ".data"))),
        "satimage": lambda: split(lines(one("satimage", ".data"))),
        "spambase": lambda: split(lines(one("spambase", ".data"))),
        # scikit-learn's file: a first line with numbers and names of classes.
        "wdbc": lambda: split(lines(one("breast-cancer-wdbc", ".csv"))[1:]),
    }[name]()
    rng = random.Random(1000 + seed)
    rng.shuffle(rows)
    cut = len(rows) * 4 // 5
    return rows[:cut], rows[cut:]


def hospitals(root):
    """Training rows of each of FLamby's hospitals, and the test rows of all; made-up class names, as in the other sets."""
    with open(root / "heart-disease/flamby_fed_heart.csv") as file:
        rows = list(csv.DictReader(file))
    names = [name for name in rows[0] if name not in ("disease", "center", "set")]
    of = lambda row: ([row[name] for name in names], row["disease"])
    centres = sorted({row["center"] for row in rows})
    parts = [[of(row) for row in rows if row["center"] == centre and row["set"] == "train"] for centre in centres]
    return parts, [of(row) for row in rows if row["set"] == "test"]


def dirichlet(rows, peers, alpha, rng):
    """Parts of at least 20 rows each."""
    while True:
        parts = [[] for _ in range(peers)]
        by_class = {}
        for row in rows:
            by_class.setdefault(row[1], []).append(row)
        for label in sorted(by_class):
            own = by_class[label][:]
            rng.shuffle(own)
            shares = [rng.gammavariate(alpha, 1) for _ in range(peers)]
            total, start, mass = sum(shares), 0, 0.0
            for peer, share in enumerate(shares):
                mass += share / total
                end = len(own) if peer == peers - 1 else round(mass * len(own))
                parts[peer] += own[start:end]
                start = end
        if all(len(part) >= 20 for part in parts):
            return parts


def write(path, rows, rng):
    width = len(rows[0][0])
    order = list(range(width))
    rng.shuffle(order)
    with open(path, "w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["note"] + [f"x{at}" for at in order] + ["answer"])
        for features, label in rows:
            out.writerow(["-"] + [features[at] for at in order] + ["class " + label])


class Nodes:
    def __init__(self, program, folder, rounds):
        self.program, self.folder, self.running = program, folder, []
        self.common = ["--set", "network.listen=/ip4/127.0.0.1/tcp/0", "--set", "network.mdns=false", "--set", "round.min_interval=0s",
                       "--set", f"round.rounds={rounds}", "--set", "data.test=test.csv", "--set", "data.validation=0.1"]

    def start(self, words):
        log = open(self.folder / f"{len(self.running)}.log", "w")
        self.running.append(subprocess.Popen([self.program] + words + self.common, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log))

    def ask(self, *words):
        return subprocess.run([self.program, *words], cwd=self.folder, capture_output=True, text=True)

    def finished(self, homes):
        """Test accuracy of each home when all have closed their rounds."""
        while True:
            found = [self.ask("status", "--json", "--home", home) for home in homes]
            if any(process.poll() is not None for process in self.running):
                sys.exit("a node ended: see " + str(self.folder))
            said = [json.loads(each.stdout) if each.returncode == 0 else None for each in found]
            if all(each and each["phase"] == "finished" for each in said):
                return [each["test"]["accuracy"] * 100 for each in said]
            time.sleep(0.5)

    def stop(self, homes):
        for home in homes:
            self.ask("stop", "--home", home)
        for process in self.running:
            process.wait()
        self.running = []


def trial(name, args, seed):
    rng = random.Random(seed)
    parts, test = hospitals(args.data) if name == "heart" else (None, None)
    train, test = (sum(parts, []), test) if parts else load(name, args.data, seed)
    peers = len(parts) if parts else args.peers
    classes = sorted({label for _, label in train + test})
    folder = Path(tempfile.mkdtemp(prefix="own-files-"))
    try:
        parts = parts or dirichlet(train, peers, 0.1, rng)
        for peer, part in enumerate(parts):
            write(folder / f"{peer}.csv", part, rng)
        write(folder / "pooled.csv", train, rng)
        write(folder / "test.csv", test, rng)
        nodes = Nodes(args.peerlearn, folder, args.rounds)
        listed = json.dumps(["class " + label for label in classes])
        columns = ",".join(f"x{at}" for at in range(len(train[0][0])))
        made = nodes.ask("new", "0.csv", "--label", "answer", "--columns", columns, "--set", f"data.classes={listed}", "--join", "open", "--home", "h0",
                         *(["--model", "linear"] if name == "heart" else []))
        if made.returncode:
            sys.exit(made.stderr)
        homes = [f"h{peer}" for peer in range(peers)]
        nodes.start(["run", "--home", "h0", "--task", "task.toml", "--data", "0.csv"])
        ticket = nodes.ask("ticket", "--home", "h0").stdout.strip()
        for peer in range(1, peers):
            nodes.start(["join", ticket, "--yes", "--home", f"h{peer}", "--data", f"{peer}.csv"])
        together = nodes.finished(homes)
        nodes.stop(homes)
        nodes.start(["run", "--home", "pooled", "--task", "task.toml", "--data", "pooled.csv", "--set", "training.steps=40"])
        pooled = nodes.finished(["pooled"])[0]
        nodes.stop(["pooled"])
        alone = [f"a{peer}" for peer in range(peers)]
        for peer, home in enumerate(alone):
            nodes.start(["run", "--home", home, "--task", "task.toml", "--data", f"{peer}.csv", "--set", "round.join_wait=1ms"])
        apart = nodes.finished(alone)
        nodes.stop(alone)
        return min(together), sum(together) / len(together), pooled, sum(apart) / len(apart)
    finally:
        for process in nodes.running if "nodes" in dir() else []:
            process.kill()
        shutil.rmtree(folder, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    here = Path(__file__).resolve().parent.parent
    parser.add_argument("--peerlearn", default=shutil.which("peerlearn") or str(here / "target/release/peerlearn"))
    parser.add_argument("--data", type=Path, default=here.parent / "shared/data")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--peers", type=int, default=8)
    parser.add_argument("sets", nargs="*", default=SETS, metavar="SET")
    args = parser.parse_args()
    args.peerlearn = os.path.abspath(args.peerlearn)
    if not args.data.exists():
        sys.exit(f"SKIPPED: there is no {args.data}; say another with --data")
    print(f"{'set':<10} {'seed':>4} {'worst':>7} {'mean':>7} {'pooled':>7} {'alone':>7} {'worst - pooled':>15}")
    for name in args.sets or SETS:
        for seed in range(args.seeds):
            worst, mean, pooled, alone = trial(name, args, seed)
            print(f"{name:<10} {seed:>4} {worst:7.2f} {mean:7.2f} {pooled:7.2f} {alone:7.2f} {worst - pooled:15.2f}", flush=True)


main()
