#!/usr/bin/env python3
"""Trains the same rows, split, model, batches, steps and rounds with peerlearn and with others, and prints one table.

  rivals.py install                     virtual environments for all, from PyPI (5 GB of disk, minutes)
  rivals.py run --suite smoke           a first look: 4 peers, 5 rounds
  rivals.py run --suite core --seeds 0  what results.md shows; --rivals and --cell choose from it
  rivals.py run --cell digits/16/shards:2/ring/30
  rivals.py table                       results.md from results.csv

Every run is one line of results.csv; a run with the same cell, rival and seed replaces the older line. Linux only: each
run has a network namespace of its own (user namespaces or root), and memory is read from /proc.
"""
import argparse
import csv
import datetime
import json
import os
import pathlib
import platform
import random
import shutil
import subprocess
import sys
import time

import split

HERE = pathlib.Path(__file__).resolve().parent
REPO = HERE.parents[1]
RIVALS = ["peerlearn", "p2pfl", "flower", "hivemind", "gossipy"]
VERSIONS = {"p2pfl": "0.4.4", "flower": "1.30.0", "hivemind": "1.1.12", "gossipy": "0.0.1"}
MODEL, STEPS, BATCH, RATE, MOMENTUM, CLIP = "mlp:64,32", 20, 32, 0.2, 0.8, 2.0
TARGETS = (80, 90)
COLUMNS = ["data", "peers", "partition", "graph", "rounds", "seed", "rival", "version", "problem", "worst", "mean", "best",
           "wall_s", "start_s", "learn_s", "cpu_s", "learn_cpu_s", "pss_mb", "peer_pss_mb", "peer_rss_mb", "wire_mb",
           "learn_wire_mb"] + [f"to{t}_{what}" for t in TARGETS for what in ("s", "cpu_s", "wire_mb")] + [
           "load", "date", "settings"]
SUITES = {
    "smoke": ["digits/4/iid/full/5"],
    "core": ["digits/4/iid/full/30", "digits/6/dirichlet:0.1/full/30", "digits/4/shards:2/full/30",
             "mnist/6/dirichlet:0.1/full/30", "digits/6/dirichlet:0.1/ring/30", "digits/16/dirichlet:0.1/full/20",
             "digits/6/iid/full/30", "digits/4/dirichlet:0.1/full/30", "digits/6/shards:2/full/30"],
    "full": [f"{data}/{peers}/{how}/{graph}/30" for data in ("digits", "mnist") for peers in (4, 6, 16)
             for how in ("iid", "dirichlet:0.1", "shards:2") for graph in ("full", "ring", "random")],
}


def install(args):
    """One environment with torch, which the others see through a .pth file, and one for each rival."""
    shared = args.folder / "torch"
    for name in ["torch", *(rival for rival in RIVALS if rival != "peerlearn")]:
        folder = args.folder / name
        done, wanted = folder / ".installed", (HERE / f"requirements/{name}.txt").read_text()
        if done.exists() and done.read_text() == wanted:
            continue
        print("installing", name, "into", folder, flush=True)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        place = next((folder / "lib").glob("python*/site-packages"))
        if name != "torch":
            (place / "shared-torch.pth").write_text(str(next((shared / "lib").glob("python*/site-packages"))) + "\n")
        pip = [folder / "bin/pip", "install", "-q", "-r", HERE / f"requirements/{name}.txt",
               "-c", HERE / "requirements/torch.txt"]
        if subprocess.run(pip).returncode:
            print(name, "could not be installed; the others go on", flush=True)
        else:
            done.write_text(wanted)


def edges(graph, peers, seed):
    """Neighbours of each peer: `full`, `ring`, or `random` (regular of degree 4, connected)."""
    if graph == "full" or peers <= 5 and graph == "random":
        return [[other for other in range(peers) if other != peer] for peer in range(peers)]
    if graph == "ring":
        return [sorted({(peer - 1) % peers, (peer + 1) % peers}) for peer in range(peers)]
    draws = random.Random(seed)
    while True:
        # A ring through all peers in one random order and another ring in another order: degree 4 unless they overlap.
        found = [set() for _ in range(peers)]
        for _ in range(2):
            order = draws.sample(range(peers), peers)
            for one, other in zip(order, order[1:] + order[:1]):
                found[one].add(other)
                found[other].add(one)
        if all(len(others) == 4 for others in found):
            return [sorted(others) for others in found]


def commands(job, folder, program):
    """The processes of a job: a name, a role, arguments, environment."""
    names = [f"peer-{peer}" for peer in range(job["peers"])]
    if job["rival"] == "peerlearn":
        return [{"name": name, "role": "peer", "argv": node(job, program, peer), "env": {}}
                for peer, name in enumerate(names)]
    python = str(folder / job["rival"] / "bin/python")
    quiet = {"PYTHONPATH": str(HERE), "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "FLWR_TELEMETRY_ENABLED": "0",
             "HF_HUB_OFFLINE": "1", "PYTHONUNBUFFERED": "1"}

    def command(name, role, driver, peer=0):
        return {"name": name, "role": role, "argv": [python, str(HERE / "drivers" / driver)],
                "env": quiet | {"RIVALS_PEER": str(peer)}}
    if job["rival"] == "gossipy":
        return [command("simulator", "peer", "gossipy_sim.py")]
    if job["rival"] == "flower":
        clients = [command(name, "peer", "flower_client.py", peer) for peer, name in enumerate(names)]
        return [command("server", "server", "flower_server.py"), *clients]
    return [command(name, "peer", f"{job['rival']}_peer.py", peer) for peer, name in enumerate(names)]


def node(job, program, peer):
    """One `peerlearn run` with the settings of `peerlearn demo`; all rows are trained on, none kept apart."""
    data = "digits" if job["data"] == "digits" else str(split.source(job["data"]))
    sampling = {"full": "uniform", "ring": "ring", "random": f"regular:4:{job['seed']}"}[job["graph"]]
    settings = {
        "task.model": job["model"], "data.source": data, "data.partition": job["partition"], "data.parts": job["peers"],
        "data.part": peer, "data.seed": job["seed"], "data.validation": 0, "round.rounds": job["rounds"],
        "round.min_interval": "0s", "round.evaluate_every": job["measure_every"], "network.mdns": "false",
        "membership.sampling": sampling, "training.seed": job["seed"] * 1_000_003 + peer,
        "network.listen": f'["/ip4/127.0.0.1/tcp/{5000 + peer}", "/ip4/127.0.0.1/udp/{5000 + peer}/quic-v1"]',
    }
    if peer:
        settings["network.contacts"] = '["/ip4/127.0.0.1/tcp/5000"]'
    flags = [flag for key, value in settings.items() for flag in ("--set", f"{key}={value}")]
    return [str(program), "run", "--home", str(pathlib.Path(job["directory"]) / f"home-{peer}"), *flags]


def prepare(cell, rival, seed, args):
    data, peers, partition, graph, rounds = cell.split("/") if cell.count("/") == 4 else sys.exit(f"no cell: {cell}")
    directory = args.folder / "runs" / f"{cell.replace('/', '_').replace(':', '-')}-{seed}-{rival}"
    shutil.rmtree(directory, ignore_errors=True)
    (directory / "events").mkdir(parents=True)
    shared = args.folder / "dealt" / f"{data.replace('/', '_')}-{peers}-{partition.replace(':', '-')}-{seed}.json"
    shared.parent.mkdir(exist_ok=True)
    if not shared.exists():
        parts = split.deal(data, int(peers), partition, seed, args.program.with_name("peerlearn-testnet"))
        shared.write_text(json.dumps({"data": data, "partition": partition, "seed": seed, "parts": parts}))
    job = {"rival": rival, "data": data, "peers": int(peers), "partition": partition, "graph": graph,
           "rounds": int(rounds), "seed": seed, "model": MODEL, "steps": STEPS, "batch": BATCH, "learning_rate": RATE,
           "momentum": MOMENTUM, "clip_norm": CLIP, "measure_every": args.measure_every, "split": str(shared),
           "graph_edges": edges(graph, int(peers), seed), "directory": str(directory),
           "events": str(directory / "events"), "file": str(directory / "job.json"), "limit": args.limit,
           "settings": {"p2pfl": args.p2pfl, "hivemind_matchmaking": args.matchmaking}}
    job["commands"] = commands(job, args.folder, args.program)
    (directory / "job.json").write_text(json.dumps(job, indent=1))
    return job


def wait_for_quiet(most):
    """Waits until the load of the machine is below this; 0 does not wait."""
    while most and os.getloadavg()[0] > most:
        time.sleep(20)


def run_one(cell, rival, seed, args):
    job = prepare(cell, rival, seed, args)
    wait_for_quiet(args.max_load)
    namespace = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--net"]
    subprocess.run(["nice", "-n", str(args.nice), *namespace, sys.executable, str(HERE / "harness.py"), job["file"]])
    row = {"data": job["data"], "peers": job["peers"], "partition": job["partition"], "graph": job["graph"],
           "rounds": job["rounds"], "seed": seed, "rival": rival, "version": VERSIONS.get(rival, ""),
           "date": datetime.date.today().isoformat()}
    if rival == "peerlearn":
        row["version"] = subprocess.run([args.program, "--version"], capture_output=True, text=True).stdout.split()[-1]
    if rival in ("p2pfl", "hivemind"):
        row["settings"] = args.p2pfl if rival == "p2pfl" else f"matchmaking {args.matchmaking} s"
    measured = pathlib.Path(job["directory"]) / "measured.json"
    if not measured.exists():
        return row | {"problem": "the harness failed"}
    return row | summary(job, json.loads(measured.read_text()))


def events_of(job):
    found = []
    for path in sorted(pathlib.Path(job["events"]).glob("*.jsonl")):
        found += [json.loads(line) | {"who": path.stem} for line in path.read_text().splitlines()]
    return sorted(found, key=lambda event: event["t"])


def at(samples, when, column):
    """CPU seconds (1) or bytes (2) at a moment, between the two nearest samples."""
    before, after = samples[0], samples[-1]
    for sample in samples:
        if sample[0] <= when:
            before = sample
        else:
            after = sample
            break
    span = after[0] - before[0]
    part = min(max((when - before[0]) / span, 0), 1) if span > 0 else 0
    return before[column] + (after[column] - before[column]) * part


def summary(job, measured):
    events, samples = events_of(job), measured["samples"]
    marks = {kind: [event["t"] for event in events if event.get("mark") == kind] for kind in ("learning", "done")}
    begin = min(marks["learning"], default=None)
    finish = max(marks["done"], default=None)
    last, reached = {}, {}
    speakers = 1 if job["rival"] in ("flower", "gossipy") else job["peers"]
    for event in events:
        if "accuracies" in event:
            last = dict(enumerate(event["accuracies"]))
        elif "accuracy" in event or "final" in event:
            last[event["who"]] = event.get("final", event.get("accuracy"))
        for target in TARGETS:
            if "final" not in event and len(last) >= speakers and min(last.values()) >= target / 100:
                reached.setdefault(target, event["t"])
    # A server process is not a peer; its memory counts in the total only.
    roles = {command["name"]: command["role"] for command in job["commands"]}
    peaks = [peak for name, peak in measured["peaks"].items() if roles[name] == "peer"]
    mega = 1e6
    row = {"problem": measured["problem"] or "", "wall_s": measured["wall"], "cpu_s": measured["cpu"],
           "pss_mb": measured["total_pss"] / mega, "load": measured["load"][0],
           "peer_pss_mb": sum(peak["pss"] for peak in peaks) / job["peers"] / mega,
           "peer_rss_mb": sum(peak["rss"] for peak in peaks) / job["peers"] / mega, "wire_mb": measured["wire"] / mega}
    if job["rival"] == "gossipy":
        row["wire_mb"] = next((event["counted"] for event in events if "counted" in event), 0) / mega
        row["peer_rss_mb"] = ""
    if last:
        row |= {"worst": min(last.values()), "mean": sum(last.values()) / len(last), "best": max(last.values())}
    if begin:
        finish = finish or measured["ended"]
        row |= {"start_s": begin - measured["begun"], "learn_s": finish - begin,
                "learn_cpu_s": at(samples, finish, 1) - at(samples, begin, 1),
                "learn_wire_mb": (at(samples, finish, 2) - at(samples, begin, 2)) / mega}
        for target, when in reached.items():
            row |= {f"to{target}_s": when - begin, f"to{target}_cpu_s": at(samples, when, 1) - at(samples, begin, 1),
                    f"to{target}_wire_mb": (at(samples, when, 2) - samples[0][2]) / mega}
        if job["rival"] == "gossipy":
            for key in list(row):
                if key.endswith("wire_mb") and key != "wire_mb":
                    row[key] = ""
    return {key: round(value, 4) if isinstance(value, float) else value for key, value in row.items()}


def key_of(row):
    return tuple(str(row[name]) for name in ("data", "peers", "partition", "graph", "rounds", "seed", "rival"))


def read_rows(path):
    return list(csv.DictReader(path.open())) if path.exists() else []


def write_rows(path, rows):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows({column: row.get(column, "") for column in COLUMNS} for row in rows)


def run(args):
    cells = args.cell or SUITES[args.suite]
    for seed in args.seeds:
        for cell in cells:
            for rival in args.rivals:
                if rival != "peerlearn" and not (args.folder / rival / ".installed").exists():
                    print(rival, "is not installed; left out", flush=True)
                    continue
                row = run_one(cell, rival, seed, args)
                if args.nice:
                    row["settings"] = "; ".join(filter(None, [row.get("settings", ""), f"nice {args.nice}"]))
                rows = [old for old in read_rows(args.results) if key_of(old) != key_of(row)]
                write_rows(args.results, [*rows, row])
                shown = ("worst", "mean", "best", "wall_s", "learn_s", "to90_s", "cpu_s", "pss_mb", "wire_mb", "problem")
                print(cell, "seed", seed, rival, {name: row.get(name, "") for name in shown}, flush=True)
    table(args)


def machine():
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "")
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 1_000_000_000
    return f"{os.cpu_count()} virtual cores ({model or platform.machine()}), {memory} GB, {platform.system()} {platform.release()}"


SHOWN = [("accuracy, %: worst", "worst", 100, 1), ("mean", "mean", 100, 1), ("best", "best", 100, 1),
         ("start, s", "start_s", 1, 1), ("learning, s", "learn_s", 1, 1), ("all, s", "wall_s", 1, 1),
         ("to 90 % worst, s", "to90_s", 1, 1), ("CPU s", "cpu_s", 1, 1), ("CPU s learning", "learn_cpu_s", 1, 1),
         ("CPU s to 90 %", "to90_cpu_s", 1, 1), ("memory, MB", "pss_mb", 1, 0), ("a peer", "peer_pss_mb", 1, 1),
         ("alone", "peer_rss_mb", 1, 1), ("wire, MB", "wire_mb", 1, 2), ("to 90 %", "to90_wire_mb", 1, 2), ("load", "load", 1, 1)]


def cell_text(rows, column, factor, digits):
    values = [float(row[column]) * factor for row in rows if row.get(column) not in ("", None)]
    if not values:
        return "-"
    mean = sum(values) / len(values)
    if len(values) < len(rows):
        return f"{mean:.{digits}f} ({len(values)} of {len(rows)})"
    if len(values) == 1:
        return f"{mean:.{digits}f}"
    deviation = (sum((value - mean) ** 2 for value in values) / (len(values) - 1)) ** 0.5
    return f"{mean:.{digits}f} ± {deviation:.{digits}f}"


def table(args):
    rows = read_rows(args.results)
    groups = {}
    for row in rows:
        groups.setdefault(key_of(row)[:4], {}).setdefault((row["rival"], int(row["rounds"])), []).append(row)
    lines = ["# peerlearn and others, same rows", "",
             f"{machine()}; {max((row['date'] for row in rows), default='')}. {MODEL}, batches of {BATCH}, {STEPS} steps a"
             " round, mean ± sample deviation over seeds. What the columns mean and what cannot be compared: README.md.", ""]
    for (data, peers, partition, graph), by in groups.items():
        lines += [f"## {data}, {peers} peers, {partition}, {graph} graph", "",
                  "| | rounds | " + " | ".join(name for name, *_ in SHOWN) + " | seeds |",
                  "|---|" + "---|" * (len(SHOWN) + 2)]
        for rival, rounds in sorted(by, key=lambda one: (RIVALS.index(one[0]), one[1])):
            good = [row for row in by[rival, rounds] if not row["problem"]]
            bad = [row for row in by[rival, rounds] if row["problem"]]
            if good:
                cells = [cell_text(good, *how) for _, *how in SHOWN]
                lines.append(f"| {rival} {good[0]['version']} | {rounds} | " + " | ".join(cells) + f" | {len(good)} |")
            for row in bad:
                cells = [cell_text([row], *how) for _, *how in SHOWN]
                lines.append(f"| {rival}, seed {row['seed']}: {row['problem']} | {rounds} | " + " | ".join(cells) + " | 0 |")
        lines.append("")
    args.results.with_suffix(".md").write_text("\n".join(lines))
    print("\n".join(lines))


def main():
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "peerlearn-rivals"
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=["install", "run", "table", "all"],
                        help="all: install, run and table after each other")
    parser.add_argument("--suite", choices=SUITES, default="core")
    parser.add_argument("--cell", action="append", metavar="DATA/PEERS/PARTITION/GRAPH/ROUNDS", help="instead of a suite")
    parser.add_argument("--rivals", type=lambda text: text.split(","), default=RIVALS, help="comma-separated")
    parser.add_argument("--seeds", type=lambda text: [int(seed) for seed in text.split(",")], default=[0])
    parser.add_argument("--folder", type=pathlib.Path, default=cache, help=f"environments and runs [{cache}]")
    parser.add_argument("--program", type=pathlib.Path, default=REPO / "target/release/peerlearn")
    parser.add_argument("--results", type=pathlib.Path, default=HERE / "results.csv")
    parser.add_argument("--nice", type=int, default=0, help="niceness of the runs; a polite run is a slow one")
    parser.add_argument("--max-load", type=float, default=0, help="before each run wait for a load below this")
    parser.add_argument("--limit", type=float, default=600, help="longest run, seconds")
    parser.add_argument("--measure-every", type=int, default=1, help="rounds from one accuracy of peerlearn to the next")
    parser.add_argument("--p2pfl", choices=["standalone", "defaults"], default="defaults",
                        help="its settings: those of its own examples, or its defaults")
    parser.add_argument("--matchmaking", type=float, default=1.0, help="hivemind's min_matchmaking_time, seconds")
    args = parser.parse_args()
    if args.what is None:
        parser.print_help()
    if args.what in ("install", "all"):
        install(args)
    if args.what in ("run", "all"):
        run(args)
    if args.what == "table":
        table(args)


if __name__ == "__main__":
    main()
