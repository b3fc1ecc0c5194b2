"""How our own nodes say how far they are: the lines that `peerlearn run` prints."""
import json
import pathlib
import re
import subprocess
import threading
import time

ROUND = re.compile(r"round (\d+): mixed .* test ([\d.]+) %")


class Ours:
    """Reads the lines of all nodes; knows when the last has closed its last round."""

    def __init__(self, job):
        self.job, self.events, self.done = job, pathlib.Path(job["events"]), set()
        self.first_is_up = threading.Event()

    def tell(self, name, **what):
        with (self.events / f"{name}.jsonl").open("a") as file:
            file.write(json.dumps({"t": time.time(), **what}) + "\n")

    def line(self, name, text):
        if " rows, round 0" in text:
            self.tell(name, mark="learning")
            self.first_is_up.set()
        if match := ROUND.match(text):
            self.tell(name, round=int(match[1]), accuracy=float(match[2]) / 100)
            if int(match[1]) >= self.job["rounds"] and name not in self.done:
                self.tell(name, mark="done")
                self.done.add(name)

    def finished(self):
        return len(self.done) == self.job["peers"]

    def measure_final(self):
        """The model on disk of every node, measured to more digits than the lines have. Not part of the run."""
        for command in self.job["commands"]:
            argv = command["argv"]
            answer = subprocess.run([argv[0], "eval", "--json", *argv[2:]], capture_output=True, text=True)
            test = json.loads(answer.stdout)
            self.tell(command["name"], final=test["test"]["accuracy"], round=test["round"])
