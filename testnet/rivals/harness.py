#!/usr/bin/env python3
"""Runs the processes of one job in a network namespace of their own and measures them. Started by rivals.py.

Measured: CPU seconds of all processes (rusage of everything that ended, also of orphans), proportional and resident
memory of each process tree, and the bytes that went over the loopback device with all headers (each packet once).
"""
import ctypes
import importlib
import json
import os
import pathlib
import resource
import signal
import subprocess
import sys
import threading
import time

TICK = 0.25
PAGE = os.sysconf("SC_PAGE_SIZE")
HERTZ = os.sysconf("SC_CLK_TCK")
PR_SET_CHILD_SUBREAPER = 36


def wire():
    """Bytes sent over loopback in this namespace; /sys may show another one's."""
    for line in open("/proc/self/net/dev"):
        name, _, numbers = line.strip().partition(":")
        if name == "lo":
            return int(numbers.split()[8])
    return 0


def processes():
    """pid: (parent, CPU seconds of itself and of its ended children, resident bytes)."""
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                fields = pathlib.Path(f"/proc/{entry}/stat").read_text().rpartition(") ")[2].split()
            except OSError:
                continue
            found[int(entry)] = int(fields[1]), sum(map(int, fields[11:15])) / HERTZ, int(fields[21]) * PAGE
    return found


def proportional(pid):
    try:
        for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").open():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


class Watch:
    """Samples the trees of the commands until told to stop."""

    def __init__(self):
        self.owner, self.samples, self.peaks, self.total_peak, self.ticks = {os.getpid(): None}, [], {}, 0, 0

    def adopt(self, pid, name):
        self.owner[pid] = name
        self.peaks[name] = {"pss": 0, "rss": 0}

    def sample(self):
        found = processes()
        for pid in sorted(found, key=lambda pid: found[pid][0]):
            if pid not in self.owner and self.owner.get(found[pid][0]):
                self.owner[pid] = self.owner[found[pid][0]]
        ours = {pid: name for pid, name in self.owner.items() if name and pid in found}
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = sum(found[pid][1] for pid in ours) + ended.ru_utime + ended.ru_stime
        self.samples.append((time.time(), cpu, wire()))
        if self.ticks % 4 == 0:
            self.memory(found, ours)
        self.ticks += 1

    def memory(self, found, ours):
        now = {name: {"pss": 0, "rss": 0} for name in self.peaks}
        for pid, name in ours.items():
            now[name]["pss"] += proportional(pid)
            now[name]["rss"] += found[pid][2]
        for name, peak in self.peaks.items():
            for kind in peak:
                peak[kind] = max(peak[kind], now[name][kind])
        self.total_peak = max(self.total_peak, sum(one["pss"] for one in now.values()))


def start(command, job, lines):
    log = open(pathlib.Path(job["directory"]) / f"{command['name']}.log", "w")
    environment = os.environ | command.get("env", {}) | {"RIVALS_NAME": command["name"], "RIVALS_JOB": job["file"]}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # Or every start would compile torch anew.
    process = subprocess.Popen(command["argv"], stdin=subprocess.DEVNULL, stdout=log, cwd=job["directory"],
                               stderr=subprocess.PIPE if lines else log, env=environment, text=True)
    if lines:
        def read():
            for line in process.stderr:
                log.write(line)
                lines(command["name"], line)
        threading.Thread(target=read, daemon=True).start()
    return process


def reap():
    """Orphans that came to us."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def end(running, watch):
    for number in (signal.SIGTERM, signal.SIGKILL):
        alive = [pid for pid, name in watch.owner.items() if name and pathlib.Path(f"/proc/{pid}").exists()]
        for pid in alive:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass
        until = time.time() + 5
        while time.time() < until and any(process.poll() is None for process in running):
            time.sleep(0.05)
    time.sleep(0.1)
    reap()


def main():
    job = json.loads(pathlib.Path(sys.argv[1]).read_text())
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ours = importlib.import_module("ours").Ours(job) if job["rival"] == "peerlearn" else None
    watch, begun = Watch(), time.time()
    running = []
    for command in job["commands"]:
        running.append(start(command, job, ours and ours.line))
        watch.adopt(running[-1].pid, command["name"])
        if ours and command is job["commands"][0]:
            ours.first_is_up.wait(30)
    limit, problem = begun + job["limit"], None
    while any(process.poll() is None for process in running):
        watch.sample()
        if ours and ours.finished():
            end(running, watch)
        failed = [process.args for process in running if process.poll() not in (None, 0, -15, -9)]
        if failed or time.time() > limit:
            problem = f"failed: {failed[0]}" if failed else f"cut after {job['limit']} s"
            end(running, watch)
        time.sleep(TICK)
    watch.samples.append((time.time(), watch.samples[-1][1], wire()))
    ended, wall = time.time(), time.time() - begun
    end([], watch)
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = usage.ru_utime + usage.ru_stime - before.ru_utime - before.ru_stime
    if ours and not problem:
        ours.measure_final()
    result = {"begun": begun, "ended": ended, "wall": wall, "cpu": cpu, "wire": wire(), "problem": problem,
              "total_pss": watch.total_peak, "peaks": watch.peaks, "samples": watch.samples,
              "load": os.getloadavg()}
    (pathlib.Path(job["directory"]) / "measured.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main()
