"""The clients: raw WebSocket, python-socketio, and socket.io-client in Node and in Chromium.

All have ident (of the cast), events (a list of [name, args...] as heard), names() without the marks of
World.joined() left out, wait(name), and close().
"""
import json
import os
import socket
import subprocess
import threading

import socketio
import websocket

from facts import wait_for

HERE = os.path.dirname(os.path.abspath(__file__))


class Client:
    """What all have in common."""

    def __init__(self, world, ident, instance=0):
        self.world, self.ident, self.instance = world, ident, instance
        self.events = []
        self.connects = self.disconnects = 0

    def __str__(self):
        return f"{type(self).__name__} {self.ident}"

    def names(self):
        """Names of all events heard, marks included."""
        return [event[0] for event in list(self.events)]

    def heard(self, *names):
        """Events of these names, or all but marks and announcements of presence."""
        quiet = ("message", "node-online", "node-offline", "sync")
        return [event for event in list(self.events)
                if (event[0] in names if names else event[0] not in quiet and not event[0].startswith("mark_"))]

    def wait(self, name, times=1):
        """Wait until an event of this name has been heard so often; the last one."""
        return wait_for(lambda: len(self.heard(name)) >= times and self.heard(name)[-1],
                        f"{self} to hear {name} {times} times, heard {self.names()}")

    def wait_connected(self):
        """Wait until the namespace is connected."""
        wait_for(lambda: self.connects > self.disconnects, f"{self} to connect")
        return self


class Raw(Client):
    """A WebSocket and nothing else: exact packets, no reconnection.

    token is its own if None, none if empty; auth is the data of CONNECT, source the address it comes from.
    """

    def __init__(self, world, ident=None, token=None, instance=0, nsp="/tasks", connect=True, headers=(),
                 auth=None, source=None):
        super().__init__(world, ident, instance)
        self.packets, self.closed, self.close_code, self.round_trips = [], False, None, 0
        token = token if token is not None else world.token(ident) if ident else None
        header = [f"Authorization: Bearer {token}"] if token else []
        url = world.url(instance)
        sock = source and socket.create_connection(url.removeprefix("http://").split(":"), source_address=(source, 0))
        self.ws = websocket.create_connection(
            url.replace("http", "ws") + "/socket.io/?EIO=4&transport=websocket", socket=sock,
            header=header + list(headers), timeout=None, enable_multithread=True)
        self.nsp = nsp
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()
        if connect:
            self.send(f"40{nsp},{json.dumps(auth or {})}")
            self.wait_connected()

    def _read(self):
        try:
            while True:
                opcode, data = self.ws.recv_data()
                if opcode == websocket.ABNF.OPCODE_CLOSE:
                    self.close_code = int.from_bytes(data[:2], "big") if data else None
                    break
                self._packet(data.decode())
        except (websocket.WebSocketException, OSError):
            pass
        self.closed = True
        self.disconnects += 1

    def _packet(self, packet):
        self.packets.append(packet)
        if packet == "2":
            self.send("3")
        elif packet.startswith(f"42{self.nsp},"):
            self.events.append(json.loads(packet[len(self.nsp) + 3:]))
        elif packet.startswith(f"40{self.nsp},"):
            self.connects += 1

    def send(self, packet):
        """Send a text frame."""
        self.ws.send(packet)

    def round_trip(self):
        """There and back: what the server sent before has been heard after it."""
        self.round_trips += 1
        answer = f"43{self.nsp},{self.round_trips}[]"
        self.send(f"42{self.nsp},{self.round_trips}[\"round_trip\"]")
        wait_for(lambda: answer in self.packets, f"{self} to get {answer}")

    def wait_closed(self, deadline=30):
        """Wait until the server has closed the connection."""
        wait_for(lambda: self.closed, f"{self} to be closed", deadline)

    def close(self):
        self.ws.close(timeout=0)


class Python(Client):
    """python-socketio as the node uses it: headers=, wait=False, ClientNamespace."""

    def __init__(self, world, ident, token=None, instance=0, transports=None, wait=False):
        super().__init__(world, ident, instance)
        outer = self

        class Tasks(socketio.ClientNamespace):
            """Records whatever comes."""

            def trigger_event(self, event, *args):
                if event == "connect":
                    outer.connects += 1
                elif event == "disconnect":
                    outer.disconnects += 1
                else:
                    outer.events.append([event, *args])

        self.sio = socketio.Client(request_timeout=60)
        self.sio.register_namespace(Tasks("/tasks"))
        self.sio.connect(world.url(instance), headers={"Authorization": f"Bearer {token or world.token(ident)}"},
                         transports=transports, wait=wait)
        self.wait_connected()

    def emit(self, name, data=None, callback=None):
        """Send an event."""
        self.sio.emit(name, data, namespace="/tasks", callback=callback)

    def close(self):
        # One that has lost its server would try for ever, in a thread that keeps the process alive.
        self.sio.reconnection = False
        if self.sio._reconnect_abort:  # pylint: disable=protected-access
            self.sio._reconnect_abort.set()  # pylint: disable=protected-access
        self.sio.disconnect()


class Lines(Client):
    """A client in another process that writes what happens as lines of JSON."""

    def __init__(self, world, ident, command, env=None):
        super().__init__(world, ident)
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True,
                                        env={**os.environ, **(env or {})})
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        for line in self.process.stdout:
            self.line(json.loads(line))

    def line(self, said):
        """Take one of its lines."""
        if said[0] == "connect":
            self.connects += 1
        elif said[0] == "disconnect":
            self.disconnects += 1
        elif said[0] == "event":
            self.events.append(said[1:])

    def close(self):
        self.process.terminate()
        self.process.wait()


class Node(Lines):
    """socket.io-client in Node, with the options the UI uses."""

    def __init__(self, world, ident, token=None, instance=0, transports=("polling", "websocket")):
        super().__init__(world, ident, ["node", f"{HERE}/../js/client.js", world.url(instance),
                                        token or world.token(ident), ",".join(transports)])
        self.wait_connected()
