#!/usr/bin/env python3
"""What models that lag behind cost: the training of workload.py in NumPy, rounds in step, and a delay put in by hand.

  ~/.cache/peerlearn-rivals/torch/bin/python3 testnet/rivals/delay.py

Four peers, full graph, 30 rounds. With chance `late` a peer gets the model that another published one round before. Prints
the accuracy of the worst and of the mean peer on the test rows for every setting and seed.
"""
import numpy as np

import split

PEERS, ROUNDS, STEPS, BATCH, RATE, MOMENTUM, CLIP = 4, 30, 20, 32, 0.2, 0.8, 2.0


def rows(pair, width, most):
    pixels, labels = pair
    return np.frombuffer(pixels, np.uint8).reshape(-1, width).astype(np.float32) / most, np.frombuffer(labels, np.uint8)


TRAIN, TEST, WIDTH, MOST = split.read("digits")
(X, Y), (TEST_X, TEST_Y) = rows(TRAIN, WIDTH, MOST), rows(TEST, WIDTH, MOST)


def initial(draws):
    sizes, model = [WIDTH, 64, 32, 10], []
    for inputs, outputs in zip(sizes, sizes[1:]):
        bound = (6 / inputs) ** 0.5
        model += [draws.uniform(-bound, bound, (inputs, outputs)).astype(np.float32), np.zeros(outputs, np.float32)]
    return model


def forward(model, x):
    first = np.maximum(x @ model[0] + model[1], 0)
    second = np.maximum(first @ model[2] + model[3], 0)
    return first, second, second @ model[4] + model[5]


def gradient(model, x, y):
    first, second, scores = forward(model, x)
    error = np.exp(scores - scores.max(1, keepdims=True))
    error /= error.sum(1, keepdims=True)
    error[np.arange(len(y)), y] -= 1
    error /= len(y)
    below = (error @ model[4].T) * (second > 0)
    lowest = (below @ model[2].T) * (first > 0)
    return [x.T @ lowest, lowest.sum(0), first.T @ below, below.sum(0), second.T @ error, error.sum(0)]


def accuracy(model):
    return (forward(model, TEST_X)[2].argmax(1) == TEST_Y).mean()


def int8(model):
    scales = [max(np.abs(tensor).max() / 127, 1e-12) for tensor in model]
    return [np.round(tensor / scale) * scale for tensor, scale in zip(model, scales)]


class Peer:
    def __init__(self, own, model, seed):
        self.own, self.model, self.draws, self.order = own, model, np.random.default_rng(seed), []
        self.correction = [np.zeros_like(tensor) for tensor in model]

    def train(self, rate):
        model, velocity = [tensor.copy() for tensor in self.model], [0] * len(self.model)
        for _ in range(STEPS):
            while len(self.order) < min(BATCH, len(self.own)):
                self.order = np.concatenate([self.order, self.draws.permutation(self.own)]).astype(int)
            batch, self.order = self.order[:BATCH], self.order[BATCH:]
            slopes = gradient(model, X[batch], Y[batch])
            scale = min(1, CLIP / max(np.sqrt(sum((slope * slope).sum() for slope in slopes)), 1e-12))
            for at, slope in enumerate(slopes):
                velocity[at] = MOMENTUM * velocity[at] + scale * slope + self.correction[at]
                model[at] -= rate * velocity[at]
        return model

    def mix(self, trained, others, damping, distance):
        self.model = [np.mean(tensors, axis=0) for tensors in zip(trained, *others)]
        for at, (mixed, own) in enumerate(zip(self.model, trained)):
            self.correction[at] -= damping * (mixed - own) / distance


def run(partition, late, damping, codec, seed):
    parts, start = split.deal("digits", PEERS, partition, seed), initial(np.random.default_rng(seed))
    peers = [Peer(part, start, seed * 1000 + at) for at, part in enumerate(parts)]
    before, draws = [start] * PEERS, np.random.default_rng(seed + 7)
    for round_ in range(ROUNDS):
        rate = RATE / (1 + round_ / 100)
        trained = [peer.train(rate) for peer in peers]
        sent = [codec(model) for model in trained]
        for at, peer in enumerate(peers):
            others = [before[other] if draws.random() < late else sent[other] for other in range(PEERS) if other != at]
            peer.mix(trained[at], others, damping, rate / (1 - MOMENTUM) * STEPS)
        before = sent
    reached = [accuracy(peer.model) for peer in peers]
    return f"{min(reached):.1%} {np.mean(reached):.1%}"


for how in ("iid", "dirichlet:0.1"):
    for name, codec in (("float32", lambda model: model), ("int8", int8)):
        for control in (0, 0.05):
            for share in (0, 0.5, 1):
                found = "  ".join(run(how, share, control, codec, seed) for seed in (0, 1, 2))
                print(f"{how:14} {name:8} control variate {control:<5} late {share:<4} {found}", flush=True)
