"""The clients: raw WebSocket, python-socketio, and socket.io-client in Node and in Chromium.

All have ident (of the cast), namespaces, events (a list of [name, args...] as received in the first
namespace), heard_in (the same by namespace), names() without the marks of World.joined() left out,
wait(name), and close(). Real clients also have emit() and call(), which returns what the ack says;
bytes are bytes on both sides, and an event that wants an ack gets its own arguments back.

The world they are in gives url(instance) and token(ident); another server than pushd has no tokens.
"""
import base64
import itertools
import json
import os
import re
import socket
import subprocess
import threading

import socketio
import websocket

from lablib.facts import wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
UPGRADE = ("polling", "websocket")


class Client:
    """What all have in common."""

    def __init__(self, world, ident, instance=0, namespaces=("/tasks",)):
        self.world, self.ident, self.instance, self.namespaces = world, ident, instance, list(
            namespaces)
        self.heard_in = {nsp: [] for nsp in namespaces}
        self.events = self.heard_in[self.namespaces[0]]
        self.connects_in = dict.fromkeys(namespaces, 0)
        self.disconnects_in = dict.fromkeys(namespaces, 0)
        self.errors, self.acks, self.upgrades, self.engines = [], {}, [], []
        self._numbers = itertools.count(1)

    def __str__(self):
        return f"{type(self).__name__} {self.ident}"

    @property
    def connects(self):
        """How often the first namespace was connected."""
        return self.connects_in[self.namespaces[0]]

    @property
    def disconnects(self):
        """How often it was lost."""
        return self.disconnects_in[self.namespaces[0]]

    def take(self, kind, *what):
        """Something has happened: see driver.js."""
        if kind == "connect":
            self.connects_in[what[0]] += 1
            self.engines.append(what[1])
        elif kind == "disconnect":
            self.disconnects_in[what[0]] += 1
        elif kind == "error":
            self.errors.append(list(what))
        elif kind == "upgrade":
            self.upgrades.append(what[0])
        elif kind == "event":
            self.heard_in[what[0]].append(list(what[1:]))
        elif kind == "ack":
            self.acks[what[0]] = list(what[1:])

    def names(self):
        """Names of all events received, marks included."""
        return [event[0] for event in list(self.events)]

    def heard(self, *names, nsp=None):
        """Events of these names, or all but marks, presence and what the greeting brings in this
        cast."""
        quiet = ("message", "node-online", "node-offline", "sync", "delete_dataframe")
        return [event for event in list(self.heard_in[nsp or self.namespaces[0]])
                if (event[0] in names if names else event[0] not in quiet
                    and not event[0].startswith("mark_"))]

    def wait(self, name, times=1, nsp=None):
        """Wait until an event of this name has been received so often; the last one."""
        return wait_for(lambda: len(self.heard(name, nsp=nsp)) >= times
                        and self.heard(name, nsp=nsp)[-1],
                        f"{self} to receive {name} {times} times, received {self.names()}")

    def connected(self):
        """Is every namespace connected?"""
        return all(self.connects_in[nsp] > self.disconnects_in[nsp] for nsp in self.namespaces)

    def wait_connected(self, deadline=60):
        """Wait until all namespaces are connected."""
        wait_for(self.connected, f"{self} to connect, errors {self.errors}", deadline)
        return self

    def call(self, name, *args, nsp=None):
        """Send an event and wait for its ack: a list."""
        number = next(self._numbers)
        self.emit(name, *args, nsp=nsp, number=number)
        wait_for(lambda: number in self.acks, f"{self} to get the ack of {name}")
        return self.acks.pop(number)


class Raw(Client):
    """A WebSocket and nothing else: exact packets, no reconnection.

    token is its own if None, none if empty; auth is the data of CONNECT, source the address it
    comes from; silent: it acknowledges nothing, but the number of each event that wants it is in
    numbers.
    """

    def __init__(self, world, ident=None, token=None, instance=0, nsp="/tasks", connect=True,
                 headers=(), auth=None, source=None, silent=False):
        super().__init__(world, ident, instance, [nsp])
        self.silent, self.numbers = silent, []
        self.packets, self.closed, self.close_code, self.round_trips = [], False, None, 0
        token = token if token is not None else world.token(ident) if ident else None
        header = [f"Authorization: Bearer {token}"] if token else []
        url = world.url(instance)
        sock = source and socket.create_connection(url.removeprefix("http://").split(":"),
                                                   source_address=(source, 0))
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
        self.take("disconnect", self.nsp)

    def _packet(self, packet):
        self.packets.append(packet)
        if packet == "2":
            self.send("3")
        elif packet.startswith(f"42{self.nsp},"):
            number, event = re.match(r"(\d*)(.*)", packet[len(self.nsp) + 3:], re.DOTALL).groups()
            if number:
                self.numbers.append(int(number))
            self.take("event", self.nsp, *json.loads(event))
            if number and not self.silent:
                self.acknowledge(number)
        elif packet.startswith(f"40{self.nsp},"):
            self.take("connect", self.nsp, None)

    def send(self, packet):
        """Send a text frame."""
        self.ws.send(packet)

    def acknowledge(self, number):
        """As python-socketio does by itself, after the handler has returned."""
        self.send(f"43{self.nsp},{number}[]")

    def round_trip(self):
        """There and back: what the server sent before has been received after it."""
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
    """python-socketio as the node uses it: headers=, wait=False, ClientNamespace.

    It handles each message in a thread of its own, so that one may overtake another, and
    attachments their event; in_order has the reading thread handle them. headers: others, sent
    before the token's.
    """

    def __init__(self, world, ident, token=None, instance=0, transports=None, wait=False,
                 namespaces=("/tasks",), auth=None, in_order=False, headers=()):
        super().__init__(world, ident, instance, namespaces)
        outer = self

        class Space(socketio.ClientNamespace):
            """Records whatever comes."""

            def trigger_event(self, event, *args):
                if event == "connect":
                    outer.take("connect", self.namespace, outer.sio.eio.sid)
                elif event == "disconnect":
                    outer.take("disconnect", self.namespace)
                elif event == "connect_error":
                    outer.take("error", self.namespace, *args)
                else:
                    outer.take("event", self.namespace, event, *args)
                    return args
                return None

        self.sio = socketio.Client(request_timeout=60)
        if in_order:
            self._keep_order(self.sio.eio)
        for nsp in namespaces:
            self.sio.register_namespace(Space(nsp))
        token = token or world.token(ident)
        headers = dict(headers)
        if token:
            headers["Authorization"] = f"Bearer {token}"
        self.sio.connect(world.url(instance), headers=headers, auth=auth, transports=transports,
                         wait=wait)
        self.wait_connected()

    @staticmethod
    def _keep_order(eio):
        start = eio.start_background_task

        def task(target, *args, **kwargs):
            if target == eio.handlers["message"]:
                return target(*args)
            return start(target, *args, **kwargs)
        eio.start_background_task = task

    @property
    def transport(self):
        """The transport in use."""
        return self.sio.eio.current_transport

    def emit(self, name, *args, nsp=None, number=None):
        """Send an event; number: of the ack that is wanted."""
        def acked(*answer):
            self.take("ack", number, *answer)
        self.sio.emit(name, args, namespace=nsp
                      or self.namespaces[0], callback=acked if number else None)

    def leave(self, nsp):
        """Leave one namespace."""
        # python-socketio 5.7 knows no such call.
        self.sio._send_packet(socketio.packet.Packet(socketio.packet.DISCONNECT, namespace=nsp))
        self.sio._handle_disconnect(nsp)

    def close(self):
        # One that has lost its server would try for ever, in a thread that keeps the process alive.
        self.sio.reconnection = False
        if self.sio._reconnect_abort:  # pylint: disable=protected-access
            self.sio._reconnect_abort.set()  # pylint: disable=protected-access
        self.sio.disconnect()


def pack(value):
    """A value with bytes as JSON has it in driver.js."""
    if isinstance(value, bytes):
        return {"bytes": base64.b64encode(value).decode()}
    if isinstance(value, dict):
        return {key: pack(item) for key, item in value.items()}
    return [pack(item) for item in value] if isinstance(value, (list, tuple)) else value


def unpack(value):
    """The opposite."""
    if isinstance(value, dict):
        return (base64.b64decode(value["bytes"]) if set(value) == {"bytes"} else
                {key: unpack(item) for key, item in value.items()})
    return [unpack(item) for item in value] if isinstance(value, list) else value


class Driven(Client):
    """socket.io-client in another process, with the options the UI uses: see driver.js.

    headers=False: a browser cannot send headers with a WebSocket, so the token goes into auth.
    early: orders that it has before it is connected, so that it sends them while it upgrades.
    more: other options of socket.io-client; its extraHeaders are sent before the token's.
    """

    def __init__(self, world, ident, token=None, instance=0, transports=UPGRADE,
                 namespaces=("/tasks",), auth=None, headers=True, early=(), more=()):
        super().__init__(world, ident, instance, namespaces)
        self.early, self.recovered = early, []
        token = token or world.token(ident)
        options = {"withCredentials": True, "transports": list(transports), "auth": auth or {},
                   **dict(more)}
        if token and headers:
            options.setdefault("extraHeaders", {})["Authorization"] = f"Bearer {token}"
        elif token:
            options["auth"] = {"token": token, **options["auth"]}
        self.options = {"url": world.url(instance), "namespaces": self.namespaces, "io": options}
        self.transport = None

    def line(self, said):
        """It says something."""
        said = unpack(said)
        self.take(*said)
        if said[0] == "connect":
            self.transport = said[3]
            self.recovered.append(said[4])
        elif said[0] == "upgrade":
            self.transport = said[1]

    def order(self, *what):
        """Tell it what to do."""
        raise NotImplementedError

    def emit(self, name, *args, nsp=None, number=None):
        """Send an event; number: of the ack that is wanted."""
        self.order("emit", nsp or self.namespaces[0], number, name, *pack(args))

    def leave(self, nsp):
        """Leave one namespace."""
        self.order("leave", nsp)


class Node(Driven):
    """In Node."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.process = subprocess.Popen(["node", f"{HERE}/../js/client.js",
                                         json.dumps(self.options)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for one in self.early:
            self.order(*one)
        threading.Thread(target=self._read, daemon=True).start()
        self.wait_connected()

    def _read(self):
        for line in self.process.stdout:
            self.line(json.loads(line))

    def order(self, *what):
        self.process.stdin.write(json.dumps(what) + "\n")
        self.process.stdin.flush()

    def close(self):
        self.process.terminate()
        self.process.wait()
        self.process.stdin.close()
