"""One hivemind peer: trains the steps of a round, then averages its parameters with all others by DecentralizedAverager."""
import os
import pathlib
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import hivemind
import torch
import workload
from workload import JOB, PEER, tell

MEETING = pathlib.Path(JOB["directory"]) / "meeting"


def wait_for(what, limit=120):
    until = time.time() + limit
    while not what():
        if time.time() > until:
            return False
        time.sleep(0.1)
    return True


def known(kind):
    return len(list(MEETING.glob(f"{kind}-*"))) >= JOB["peers"]


def main():
    MEETING.mkdir(exist_ok=True)
    address = MEETING / "address"
    if PEER:
        wait_for(address.exists)
    first = address.read_text().split() if PEER else []
    dht = hivemind.DHT(initial_peers=first, host_maddrs=["/ip4/127.0.0.1/tcp/0"], start=True)
    if not PEER:
        (MEETING / "writing").write_text("\n".join(map(str, dht.get_visible_maddrs())))
        (MEETING / "writing").rename(address)
    rows = workload.Rows(PEER)
    model = workload.network(rows.width)
    order = workload.batches(len(rows.x), PEER)
    averager = hivemind.averaging.DecentralizedAverager(
        [parameter.detach().clone() for parameter in model.parameters()], dht, start=True, prefix="rivals",
        target_group_size=JOB["peers"], min_matchmaking_time=JOB["settings"]["hivemind_matchmaking"],
        request_timeout=JOB["settings"]["hivemind_matchmaking"] / 2)
    (MEETING / f"ready-{PEER}").touch()
    wait_for(lambda: known("ready"))
    tell(mark="learning")
    for round_ in range(1, JOB["rounds"] + 1):
        workload.train(model, rows, order, round_)
        with averager.get_tensors() as tensors, torch.no_grad():
            for tensor, parameter in zip(tensors, model.parameters()):
                tensor.copy_(parameter)
        try:
            group = averager.step(timeout=30)
        except Exception as error:  # hivemind raises many kinds when no group was found; a round without one goes on.
            print("round", round_, repr(error), flush=True)
            group = None
        with averager.get_tensors() as tensors, torch.no_grad():
            for tensor, parameter in zip(tensors, model.parameters()):
                parameter.copy_(tensor)
        tell(round=round_, accuracy=workload.accuracy(model, rows), group=len(group or []))
    tell(mark="done")
    (MEETING / f"done-{PEER}").touch()
    wait_for(lambda: known("done"), 60)
    averager.shutdown()
    dht.shutdown()


if __name__ == "__main__":
    main()
