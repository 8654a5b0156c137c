"""A node's own half of the connection, in the shapes of the real one: a ClientNamespace with its
handlers, which take exactly one argument or none, and what they call. Its REST calls to HQ are SQL
here, and its containers numbers in a list.
"""
import collections

import socketio

from lablib.facts import wait_for

ToBeKilled = collections.namedtuple("ToBeKilled", "task_id run_id organization_id")
CONFIG = {"v4": {"encryption": False, "allowed_algorithms": "all", "database_columns": {}},
          "v5": {"encryption": "False", "allowed_algorithms": "all", "database_labels": ["default"],
                 "database_types": {"db_type_default": "csv"}}}


class Handlers(socketio.ClientNamespace):
    """Those of both versions."""
    node = None  # whose they are

    def trigger_event(self, event, *args):
        """Called by python-socketio for whatever comes, handled or not."""
        try:
            return super().trigger_event(event, *args)
        except Exception as error:
            self.node.failures.append((event, args, error))
            raise
        finally:
            self.node.calls.append([event, *args])

    def on_connect(self):
        """It is connected."""

    def on_disconnect(self):
        """It is not."""

    def on_message(self, msg):
        """Somebody has joined or left."""
        self.node.lines.append(msg + "")

    def on_sync(self):
        """HQ knows it now."""
        self.node.queue_open_runs()
        self.node.share_details()

    def on_algorithm_status_change(self, data):
        """Of a run, its own or another's."""
        self.node.lines.append(f"job {data.get('job_id') + 0}: {data.get('status') + ''}")

    def on_expired_token(self):
        """It gets a new one and connects anew."""
        self.node.sio.disconnect()
        self.node.connect(self.node.world.token(self.node.ident))
        self.node.queue_open_runs()

    def on_invalid_token(self):
        """The same, and the runs come with sync."""
        self.node.sio.disconnect()
        self.node.connect(self.node.world.token(self.node.ident))

    def on_kill_containers(self, kill_info):
        """Some, or with an empty list or none, all."""
        for killed in self.node.kill(kill_info):
            self.emit("algorithm_status_change", self.node.report("killed by user", **killed))


class HandlersV4(Handlers):
    """What only a node of version 4 has."""

    def on_new_task(self, data):
        """A task for it, perhaps."""
        self.node.queued.append(data.get("id"))


class HandlersV5(Handlers):
    """What only a node of version 5 has."""

    def on_new_task_update(self, data):
        """A task for it, perhaps."""
        self.node.queued.append(data.get("id"))

    def on_delete_dataframe(self, data):
        """A file of it is to go."""
        self.emit("dataframe_deleted",
                  {"df_name": data["df_name"], "session_id": data["session_id"],
                   "node_id": self.node.ident})


class NodeClient:
    """A node of version 4 or 5 that connects as a principal with its place (collaboration,
    organization)."""

    def __init__(self, world, ident, place, token=None):
        self.world, self.ident, (self.collaboration, self.organization) = world, ident, place
        self.calls, self.failures, self.lines, self.queued, self.containers = [], [], [], [], []
        self.sio = None
        self.connect(token or world.token(ident))

    def connect(self, token):
        """With a client of its own each time."""
        self.sio = socketio.Client(request_timeout=60)
        handlers = {"v4": HandlersV4, "v5": HandlersV5}[self.world.hq]("/tasks")
        handlers.node = self
        self.sio.register_namespace(handlers)
        self.sio.connect(self.world.url(), headers={"Authorization": f"Bearer {token}"}, wait=False)
        wait_for(lambda: "/tasks" in self.sio.namespaces, "the node to connect")

    def called(self, event, times=1):
        """Wait until a handler has returned so often, or the event came that has none; its
        arguments each time."""
        def found():
            return [call[1:] for call in list(self.calls) if call[0] == event]
        wait_for(lambda: len(found()) >= times, f"the node to receive {event} {times} times")
        return found()

    def emit(self, event, *args):
        """Send an event and wait until it is acknowledged."""
        acks = []
        self.sio.emit(event, args, namespace="/tasks", callback=lambda *answer: acks.append(answer))
        wait_for(lambda: acks == [()], f"the ack of {event}")

    def queue_open_runs(self):
        """Of all tasks."""
        with self.world.connect() as db, db.cursor() as cursor:
            cursor.execute(
                "SELECT task_id FROM run WHERE status = 'pending' AND organization_id = %s",
                (self.organization,))
            self.queued += [task for task, in cursor.fetchall()]

    def share_details(self):
        """Part of its configuration."""
        self.sio.emit("node_info_update", CONFIG[self.world.hq], namespace="/tasks")

    def kill(self, kill_info):
        """Its containers named in the list, or all; each as the node reports it."""
        if (kill_info["collaboration_id"] != self.collaboration
            or kill_info.get("node_id", self.ident) != self.ident):
            return []
        wanted = [ToBeKilled(**item).run_id for item in kill_info.get("kill_list") or ()]
        killed = [one for one in self.containers if not wanted or one["run"] in wanted]
        self.containers = [one for one in self.containers if one not in killed]
        # What the node of version 5 knows of a container are texts.
        return [{key: value if self.world.hq == "v4" else str(value) for key, value in one.items()}
                for one in killed]

    def report(self, status, run, task, parent=None):
        """The argument of algorithm_status_change."""
        return {"node_id": self.ident, "status": status, "run_id": run, "task_id": task,
                "collaboration_id": self.collaboration, "organization_id": self.organization,
                "parent_id": parent}

    def close(self):
        """The node shuts down."""
        self.sio.disconnect()
