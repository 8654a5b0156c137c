"""Sessions as a client has them: Poll, Ws and Upgraded, with the same words for Engine.IO packets.

A packet is text with its digit ("4hello"), or bytes for a binary message. Pings of the server are
answered, and not shown, unless a test wants to see them.
"""
import base64
import json

from lablib.facts import wait_for
from rawlib.blocking import Http, WebSocket
from rawlib.wire import BINARY, TEXT, Closed, frame

SEPARATOR = "\x1e"
UNKNOWN_SID = '{"code":1,"message":"Session ID unknown"}'


def encode(packet):
    """A packet as polling has it."""
    return "b" + base64.b64encode(packet).decode() if isinstance(packet, bytes) else packet


def decode(text):
    """The packets of a polling answer."""
    return [base64.b64decode(part[1:],
                             validate=True)
            if part.startswith("b") else part for part in text.split(SEPARATOR)]


class Poll:
    """A session by polling: one connection for its GETs, one for its POSTs."""

    transport = "polling"

    def __init__(self, server, headers=(), **parameters):
        self.server = server
        self.reader, self.writer = Http(server), Http(server)
        answer = self.reader.request("GET", server.target(**parameters), headers=headers)
        assert answer.status == 200 and answer.text.startswith("0{"), answer
        self.open = json.loads(answer.text[1:])
        self.sid = self.open["sid"]
        self.target = server.target(sid=self.sid, **parameters)
        self.waiting = []
        self.pings = False

    def get(self):
        """A GET and its answer."""
        return self.reader.request("GET", self.target)

    def hold(self):
        """A GET on a connection of its own that the server has read."""
        return Http(self.server).ask("GET", self.target).taken()

    def post(self, body, headers=()):
        """A POST and its answer."""
        return self.writer.request("POST", self.target, body, headers)

    def send(self, *packets):
        """Packets that are expected to be good, in one POST."""
        answer = self.post(SEPARATOR.join(encode(packet) for packet in packets))
        assert (answer.status, answer.text) == (200, "ok"), answer

    def offend(self, *packets):
        """Packets that may end the session, in one POST."""
        try:
            return self.post(SEPARATOR.join(encode(packet) for packet in packets))
        except Closed:
            return None

    def receive(self):
        """The next packet."""
        while not self.waiting:
            answer = self.get()
            if answer.status != 200:
                assert answer.text == UNKNOWN_SID, answer
                raise Closed()
            self.waiting = decode(answer.text)
            if "2" in self.waiting and not self.pings:
                self.waiting = [packet for packet in self.waiting if packet != "2"]
                self.send("3")
        packet = self.waiting.pop(0)
        if packet == "1":
            raise Closed(1005)
        return packet

    def gone(self):
        """Does the server not know the session any more?"""
        answer = Http(self.server).request("POST", self.target, "6")  # a GET would wait
        return (answer.status, answer.text) == (400, UNKNOWN_SID)

    def ended(self):
        """Wait until the server has ended the session; what still came."""
        came = []
        try:
            while True:
                came.append(self.receive())
        except Closed:
            wait_for(self.gone, "the session to be gone")
        return [packet for packet in came if packet != "6"]

    def close(self):
        """Leave without a word."""
        self.reader.close()
        self.writer.close()


class Ws:
    """A session by WebSocket."""

    transport = "websocket"

    def __init__(self, server, headers=(), **parameters):
        self.server = server
        self.ws = WebSocket(server, server.target("websocket", **parameters), headers)
        assert self.ws.is_open, self.ws.opening
        first = self.ws.message()
        assert first.startswith("0{"), first
        self.open = json.loads(first[1:])
        self.sid = self.open["sid"]
        self.pings = False

    def send(self, *packets):
        """Packets, each in a frame, all in one piece."""
        self.ws.send(b"".join(frame(BINARY if isinstance(packet, bytes) else TEXT, packet)
                              for packet in packets))

    def offend(self, *packets):
        """Packets that may end the session."""
        try:
            self.send(*packets)
        except OSError:
            pass

    def receive(self):
        """The next packet."""
        while True:
            packet = self.ws.message()
            if packet != "2" or self.pings:
                return packet
            self.send("3")

    def gone(self):
        """Does the server not know the session any more?"""
        answer = Http(self.server).request("GET", self.server.target(sid=self.sid))
        return (answer.status, answer.text) == (400, UNKNOWN_SID)

    def ended(self):
        """Wait until the server has ended the session; what still came."""
        came, self.code = self.ws.closing()
        wait_for(self.gone, "the session to be gone")
        return came

    def close(self):
        """Leave without a word."""
        self.ws.close()


class Upgraded(Ws):
    """A session that began by polling and is a WebSocket now."""

    transport = "upgraded"

    def __init__(self, server, headers=(), **parameters):  # pylint: disable=super-init-not-called
        self.server, self.pings = server, False
        self.poll = Poll(server, headers, **parameters)
        self.open, self.sid = self.poll.open, self.poll.sid
        self.ws = probe(self.poll)
        self.ws.text("5")

    def close(self):
        self.poll.close()
        super().close()


SESSIONS = {kind.transport: kind for kind in (Poll, Ws, Upgraded)}


def begin_upgrade(poll):
    """A WebSocket for this session."""
    ws = WebSocket(poll.server, poll.server.target("websocket", sid=poll.sid))
    assert ws.is_open, ws.opening
    return ws


def probe(poll):
    """A WebSocket for this session whose probe has been answered."""
    ws = begin_upgrade(poll)
    ws.text("2probe")
    assert ws.message() == "3probe"
    return ws


class Client:
    """Socket.IO over any of the sessions: connects to nsp unless it is None."""

    def __init__(self, session, nsp="/", auth=None):
        self.session = session
        if nsp is not None:
            self.sid = self.connect(nsp, auth)

    @staticmethod
    def prefix(nsp):
        """How packets name this namespace."""
        return "" if nsp == "/" else f"{nsp},"

    def connect(self, nsp="/", auth=None):
        """CONNECT: the sid of the socket. The event that the server sends then is taken too."""
        name = self.prefix(nsp)
        self.send("40" + name + ("" if auth is None else json.dumps(auth)))
        reply = self.receive()
        assert reply.startswith("40" + name), reply
        heard = self.receive()
        assert heard.startswith("42" + name + '["auth",'), heard
        assert json.loads(heard[2 + len(name):]) == ["auth", auth or {}]
        return json.loads(reply[2 + len(name):])["sid"]

    def leave(self, nsp="/"):
        """DISCONNECT, and wait until the server has seen it: it is not answered, but a CONNECT
        after it is."""
        self.send(f"41{self.prefix(nsp)}")
        self.send("40/random,")
        assert self.receive() == '44/random,{"message":"Invalid namespace"}'

    def send(self, *packets):
        """Good packets."""
        self.session.send(*packets)

    def receive(self, count=None):
        """The next packet, or so many."""
        if count is None:
            return self.session.receive()
        return [self.session.receive() for _ in range(count)]

    def alive(self, nsp="/"):
        """There and back: whatever the server sent before has been received by now; true if that
        was nothing."""
        assert nsp == "/"
        self.send('42["message","alive?"]')
        heard = self.receive()
        assert heard == '42["message-back","alive?"]', heard
        return True

    def breaks(self, *packets):
        """These packets end the whole connection, and nothing is answered."""
        self.session.offend(*packets)
        assert self.session.ended() == []
        return True
