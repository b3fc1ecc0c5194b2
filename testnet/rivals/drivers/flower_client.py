"""One Flower client."""
import os
import socket
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import flwr
import workload
from workload import PEER


class Client(flwr.client.NumPyClient):
    def __init__(self):
        self.rows = workload.Rows(PEER)
        self.model = workload.network(self.rows.width)
        self.order = workload.batches(len(self.rows.x), PEER)

    def fit(self, parameters, config):
        if int(config["round"]) == 1:
            workload.tell(mark="learning")
        workload.set_weights(self.model, parameters)
        workload.train(self.model, self.rows, self.order, int(config["round"]))
        return workload.weights(self.model), len(self.rows.x), {}


def wait_for_server():
    for _ in range(600):
        try:
            return socket.create_connection(("127.0.0.1", 7000)).close()
        except OSError:
            time.sleep(0.2)
    sys.exit("no server")


wait_for_server()
flwr.client.start_client(server_address="127.0.0.1:7000", client=Client().to_client())
