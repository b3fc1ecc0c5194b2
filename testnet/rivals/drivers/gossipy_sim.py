"""All peers in gossipy's simulator: push to one neighbour a round, merge, then the steps of a round. No network."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import numpy as np
import torch
import workload
from gossipy import set_seed
from gossipy.core import AntiEntropyProtocol, CreateModelMode, StaticP2PNetwork, UniformDelay
from gossipy.data import DataDispatcher
from gossipy.data.handler import ClassificationDataHandler
from gossipy.model import TorchModel
from gossipy.model.handler import TorchModelHandler
from gossipy.node import GossipNode
from gossipy.simul import GossipSimulator, SimulationEventReceiver, SimulationReport
from workload import JOB, tell

TICKS = 100


class Model(TorchModel):
    def __init__(self, width):
        super().__init__()
        self.net = workload.network(width)

    def init_weights(self):
        """They are set already, the same for all."""

    def forward(self, x):
        return self.net(x)


class Handler(TorchModelHandler):
    """Trains the steps of a round instead of epochs; momentum starts anew."""

    def _update(self, data):
        x, y = data
        if not hasattr(self, "order"):
            self.order = workload.Batches(len(x), int(torch.randint(1 << 30, ())))
        self.optimizer.state.clear()
        for group in self.optimizer.param_groups:
            group["lr"] = workload.rate(self.n_updates + 1)
        for batch in self.order:
            self._local_step(x[batch], y[batch])
        self.n_updates += 1


class Told(SimulationEventReceiver):
    def update_message(self, failed, msg=None):
        pass

    def update_evaluation(self, round, on_user, evaluation):
        tell(round=(round + 1) // TICKS, accuracies=[float(one["accuracy"]) for one in evaluation])

    def update_timestep(self, t):
        pass

    def update_end(self):
        pass


def main():
    set_seed(JOB["seed"])
    rows = workload.Rows()
    handler = ClassificationDataHandler(rows.x, rows.y, rows.test_x, rows.test_y)
    dispatcher = DataDispatcher(handler, n=JOB["peers"], eval_on_user=False, auto_assign=False)
    dispatcher.set_assignments(rows.parts, None)
    edges = np.zeros((JOB["peers"], JOB["peers"]), int)
    for peer, others in enumerate(JOB["graph_edges"]):
        edges[peer, others] = 1
    model = Handler(Model(rows.width), torch.optim.SGD, {"lr": workload.rate(1), "momentum": JOB["momentum"]},
                    torch.nn.functional.cross_entropy, batch_size=JOB["batch"],
                    create_model_mode=CreateModelMode.MERGE_UPDATE)
    nodes = GossipNode.generate(dispatcher, StaticP2PNetwork(JOB["peers"], edges), model, TICKS, True)
    simulator = GossipSimulator(nodes, dispatcher, TICKS, AntiEntropyProtocol.PUSH, delay=UniformDelay(0, 10))
    report = SimulationReport()
    simulator.add_receiver(report)
    simulator.add_receiver(Told())
    tell(mark="learning")
    simulator.init_nodes(seed=JOB["seed"])
    simulator.start(n_rounds=JOB["rounds"])
    tell(mark="done", counted=report._total_size * 4)


main()
