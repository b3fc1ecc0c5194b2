"""What every driver trains, the same for all: rows, model, batches, step size. And how a driver says how far it is."""
import json
import os
import pathlib
import time

import numpy as np
import torch

import split

torch.set_num_threads(1)
torch.set_num_interop_threads(1)
JOB = json.loads(pathlib.Path(os.environ["RIVALS_JOB"]).read_text())
PEER = int(os.environ.get("RIVALS_PEER", "0"))


def warm_up():
    """The first step of an optimizer imports much of torch; that belongs to the start, not to the first round."""
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    optimizer.zero_grad()
    parameter.sum().backward()
    optimizer.step()


warm_up()


def tensors(pixels, labels, width, most, rows=slice(None)):
    """Some rows as tensors; picked before they are turned to floats, which saves memory."""
    x = np.frombuffer(pixels, np.uint8).reshape(-1, width)[rows].astype(np.float32)
    x /= most
    return torch.from_numpy(x), torch.from_numpy(np.frombuffer(labels, np.uint8)[rows].astype(np.int64))


class Rows:
    """The rows of one peer, or of all where `peer` is None, and the rows to test on; inputs from 0 to 1."""

    def __init__(self, peer=None):
        train, test, self.width, most = split.read(JOB["data"])
        self.parts = json.loads(pathlib.Path(JOB["split"]).read_text())["parts"]
        own = slice(None) if peer is None else self.parts[peer]
        self.x, self.y = tensors(*train, self.width, most, own)
        self.test_x, self.test_y = tensors(*test, self.width, most)


class Batches:
    """Shuffled passes over the rows; a batch that reaches the end of one goes on in the next. Yields those of one round."""

    def __init__(self, rows, seed):
        self.rows, self.order, self.at = rows, None, rows
        self.draws = np.random.default_rng(seed)

    def __iter__(self):
        for _ in range(JOB["steps"]):
            batch, size = [], min(JOB["batch"], self.rows)
            while len(batch) < size:
                if self.at >= self.rows:
                    self.order, self.at = self.draws.permutation(self.rows), 0
                more = self.order[self.at:self.at + size - len(batch)]
                self.at += len(more)
                batch += more.tolist()
            yield batch

    def __len__(self):
        return JOB["steps"]


def batches(rows, peer):
    return Batches(rows, JOB["seed"] * 1_000_003 + peer)


def network(width):
    """The model; weights uniform in +-sqrt(6 / fan-in), biases zero, the same for all peers of a seed."""
    torch.manual_seed(JOB["seed"])
    sizes = [width, *map(int, JOB["model"].removeprefix("mlp:").split(",")), 10]
    layers = []
    for inputs, outputs in zip(sizes, sizes[1:]):
        layer = torch.nn.Linear(inputs, outputs)
        torch.nn.init.uniform_(layer.weight, -(6 / inputs) ** 0.5, (6 / inputs) ** 0.5)
        torch.nn.init.zeros_(layer.bias)
        layers += [layer, torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])


def rate(round_):
    """Step size of a round, counted from 1."""
    return JOB["learning_rate"] / (1 + (round_ - 1) / 100)


def train(model, rows, order, round_):
    """The steps of one round; momentum starts anew."""
    optimizer = torch.optim.SGD(model.parameters(), lr=rate(round_), momentum=JOB["momentum"])
    model.train()
    for batch in order:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(rows.x[batch]), rows.y[batch]).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), JOB["clip_norm"])
        optimizer.step()


def accuracy(model, rows):
    model.eval()
    with torch.no_grad():
        return (model(rows.test_x).argmax(1) == rows.test_y).float().mean().item()


def weights(model):
    return [tensor.detach().numpy().copy() for tensor in model.state_dict().values()]


def set_weights(model, arrays):
    names = model.state_dict().keys()
    model.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in zip(names, arrays)})


def tell(**what):
    """Adds a line to this process's events: `mark` (learning, done), or `round` with `accuracy` or `accuracies`."""
    path = pathlib.Path(JOB["events"]) / f"{os.environ['RIVALS_NAME']}.jsonl"
    with path.open("a") as file:
        file.write(json.dumps({"t": time.time(), **what}) + "\n")
