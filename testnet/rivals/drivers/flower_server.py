"""Flower's server with FedAvg: all clients train in every round, and the server measures the model it has averaged."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import flwr
import workload
from workload import JOB, tell


def main():
    rows = workload.Rows(0)
    model = workload.network(rows.width)
    initial = flwr.common.ndarrays_to_parameters(workload.weights(model))

    def evaluate(round_, arrays, _):
        workload.set_weights(model, arrays)
        found = workload.accuracy(model, rows)
        tell(round=round_, accuracy=found)
        return 0.0, {"accuracy": found}

    strategy = flwr.server.strategy.FedAvg(
        fraction_fit=1.0, fraction_evaluate=0.0, min_fit_clients=JOB["peers"], min_available_clients=JOB["peers"],
        initial_parameters=initial, evaluate_fn=evaluate, on_fit_config_fn=lambda round_: {"round": round_})
    flwr.server.start_server(server_address="127.0.0.1:7000", strategy=strategy,
                             config=flwr.server.ServerConfig(num_rounds=JOB["rounds"]))
    tell(mark="done")


main()
