#!/usr/bin/python3
"""A node as vantage6's is: python-socketio's sync client, a namespace class, handlers with one
argument.

  TOKEN=... test/demo_node.py URL

Prints what it receives, one JSON array [event, argument] a line, until standard input ends.
"""
import json
import os
import sys
import threading

import socketio

EVENTS_WITH_DATA = ["message", "new_task_update", "new_task", "status_update",
                    "algorithm_status_change", "algorithm_log", "kill_containers",
                    "delete_dataframe", "demo"]
EVENTS_WITHOUT = ["connect", "disconnect", "sync", "expired_token", "invalid_token"]


LINE = threading.Lock()  # python-socketio runs each handler in a thread of its own


def say(event, *data):
    """One line, whole and at once."""
    with LINE:
        print(json.dumps([event, *data]), flush=True)


class NodeTaskNamespace(socketio.ClientNamespace):
    """on_<event> for each event that a node handles. An argument too many would be an exception."""

    def on_connect_error(self, data):
        say("connect_error", str(data))


for name in EVENTS_WITH_DATA:
    setattr(NodeTaskNamespace, f"on_{name}", lambda self, data, name=name: say(name, data))
for name in EVENTS_WITHOUT:
    setattr(NodeTaskNamespace, f"on_{name}", lambda self, name=name: say(name))


def main(url):
    """Connect as the node does, and listen."""
    client = socketio.Client()
    client.register_namespace(NodeTaskNamespace("/tasks"))
    client.connect(url, headers={"Authorization": f"Bearer {os.environ['TOKEN']}"}, wait=False)
    sys.stdin.read()
    client.disconnect()


if __name__ == "__main__":
    main(sys.argv[1])
