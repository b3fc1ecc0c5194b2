"""One p2pfl node a process, as in its examples node1.py and node2.py; a round is one `epoch` of the job's steps."""
import os
import sys
import threading
import time

os.environ["DISABLE_RAY"] = "True"
# All peers make this folder when p2pfl is imported; with sixteen, one found that another had been faster and gave up.
os.makedirs("logs", exist_ok=True)
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import lightning
import torch
from p2pfl.settings import Settings

Settings.general.DISABLE_RAY = True

import workload
from p2pfl.learning.dataset.p2pfl_dataset import P2PFLDataset
from p2pfl.learning.frameworks.pytorch.lightning_model import LightningModel
from p2pfl.node import Node
from p2pfl.utils.utils import set_standalone_settings
from torch.utils.data import DataLoader, TensorDataset
from workload import JOB, PEER, tell

FITS, TESTS = [0], [0]


class Model(lightning.LightningModule):
    def __init__(self, width):
        super().__init__()
        self.net = workload.network(width)

    def forward(self, x):
        return self.net(x)

    def configure_optimizers(self):
        FITS[0] += 1
        if FITS[0] == 1:
            tell(mark="learning")
        return torch.optim.SGD(self.parameters(), lr=workload.rate(FITS[0]), momentum=JOB["momentum"])

    def training_step(self, batch, _):
        return torch.nn.functional.cross_entropy(self(batch[0]), batch[1])

    def on_test_start(self):
        self.right = self.seen = 0

    def test_step(self, batch, _):
        self.right += (self(batch[0]).argmax(1) == batch[1]).sum().item()
        self.seen += len(batch[1])

    def on_test_end(self):
        """p2pfl tests the mixed model before each round and after the last."""
        tell(round=TESTS[0], accuracy=self.right / self.seen)
        TESTS[0] += 1


class Data(P2PFLDataset):
    """The rows of this peer as tensors; an epoch is the steps of one round."""

    def __init__(self, rows):
        super().__init__(None, batch_size=JOB["batch"])
        self.rows = len(rows.x)
        self.train = DataLoader(TensorDataset(rows.x, rows.y), batch_sampler=workload.batches(self.rows, PEER))
        self.test = DataLoader(TensorDataset(rows.test_x, rows.test_y), batch_size=2000)

    def export(self, strategy, train=True, **kwargs):
        return self.train if train else self.test

    def get_num_samples(self, train=True):
        return self.rows


def address(peer):
    return f"127.0.0.1:{6000 + peer}"


def wait_for(what, limit=120):
    until = time.time() + limit
    while not what():
        if time.time() > until:
            sys.exit("waited too long")
        time.sleep(0.2)


def main():
    if JOB["settings"].get("p2pfl") != "defaults":
        set_standalone_settings()
    rows = workload.Rows(PEER)
    node = Node(LightningModel(Model(rows.width)), Data(rows), addr=address(PEER))
    node.start()
    for other in JOB["graph_edges"][PEER]:
        if other < PEER:
            wait_for(lambda: node.connect(address(other)))
    wait_for(lambda: len(node.get_neighbors()) == JOB["peers"] - 1)
    if PEER == 0:
        time.sleep(4)  # As in node2.py: all nodes must know each other.
        node.set_start_learning(rounds=JOB["rounds"], epochs=1, trainset_size=JOB["peers"])
    while not node.learning_workflow.finished:
        time.sleep(0.1)
    tell(mark="done")
    time.sleep(2)
    # In 0.4.4 this may wait for ever; everything is told by now.
    threading.Thread(target=node.stop, daemon=True).start()
    time.sleep(1)
    os._exit(0)


main()
