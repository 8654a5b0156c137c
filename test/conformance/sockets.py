"""What the fixture does with messages: part of the model (see model.py).

text() and binary() take a message of the client and return what the server sends for it; Bad is
raised if it ends the session.

Echo     mode engine: each message comes back
Sockets  mode socket: namespaces, and in / the events of fixture.c
"""
import packets
from answers import SID
from packets import ACK, CONNECT, CONNECT_ERROR, DISCONNECT, EVENT, NOTHING, Bad

NAMESPACES = ("/", "/custom")


class Echo:
    """Mode engine. It has no namespaces to be in."""

    ever_joined, half = True, None
    joined = asked = ()

    def __repr__(self):
        return "Echo"

    @staticmethod
    def text(text):
        """A text message."""
        return ["4" + text]

    @staticmethod
    def binary(data):
        """A binary message."""
        return [data]


class Sockets:
    """Mode socket.

    What is sent: (type, namespace, ack id, data), a whole packet; SID as data is that of a CONNECT,
    and an ack id that is a number stands for any: the ack of an event that is asked in the life of
    that number.
    """

    def __init__(self, node):
        self.node = node
        self.joined, self.left, self.rooms = set(), set(), set()
        self.half = None   # a packet whose attachments are awaited
        self.asked = []    # (namespace, ack id) of acks that the server waits for
        self.life = {nsp: 0 for nsp in NAMESPACES}
        self.ever_joined = False

    def __repr__(self):
        return repr({name: sorted(value)
                     if isinstance(value, set) else value for name, value in vars(self).items()})

    def text(self, text):
        """A text message."""
        packet = packets.parse(text)
        if self.half is not None:
            raise Bad("text where an attachment is due")
        if packet.count:
            if not (self.node or self.joined or self.left):
                raise Bad("attachments of an event that can have no effect")
            self.half = packet
            return []
        return self._act(packet)

    def binary(self, data):
        """A binary message."""
        if self.half is None:
            raise Bad("an attachment of nothing")
        self.half.got.append(data)
        if len(self.half.got) < self.half.count:
            return []
        packet, self.half = self.half, None
        packet.data = packets.fill(packet.data, packet.got)
        return self._act(packet)

    def heard(self, nsp, life, ack):
        """The client has been asked for this ack."""
        if life == self.life[nsp]:
            self.asked.append((nsp, ack))

    def _act(self, packet):
        kind, nsp = packet.type, packet.nsp
        if kind == CONNECT:
            return self._connect(nsp, packet.data)
        if nsp not in self.joined:
            if nsp not in self.left or self.node:
                raise Bad("not connected")
            return []
        if kind == DISCONNECT:
            return self._disconnect(nsp)
        if kind == ACK:
            if (nsp, packet.ack) not in self.asked:
                return []
            self.asked.remove((nsp, packet.ack))
            return [(EVENT, nsp, "", ["answered", *packet.data])]
        if packet.data is NOTHING:  # it has no effect, and nobody else will answer
            return [(ACK, nsp, packet.ack, [])] if packet.ack and not self.node else []
        return self._event(packet.ack, packet.data) if nsp == "/" else []

    def _connect(self, nsp, auth):
        if nsp in self.joined:
            raise Bad("connected twice")
        if nsp not in NAMESPACES:
            return [(CONNECT_ERROR, nsp, "", {"message": "Invalid namespace"})]
        self.joined.add(nsp)
        self.left.discard(nsp)
        self.ever_joined = True
        return [(CONNECT, nsp, "", SID),
                (EVENT, nsp, "", ["auth", {} if auth is NOTHING else auth])]

    def _disconnect(self, nsp):
        self.joined.remove(nsp)
        self.left.add(nsp)
        self.life[nsp] += 1
        self.asked = [asked for asked in self.asked if asked[0] != nsp]
        if nsp == "/":
            self.rooms = set()
        return []

    def _event(self, ack, data):
        name, args = data[0], data[1:]
        if name == "message":
            return [(EVENT, "/", "", ["message-back", *args])]
        if name == "message-with-ack" and ack:
            return [(ACK, "/", ack, args)]
        if name == "ask":
            return [(EVENT, "/", self.life["/"], ["asked", *args])]
        if name == "join":
            self.rooms.add(args[0])
        elif name == "room-emit" and args[0] in self.rooms:
            return [(EVENT, "/", "", ["room-message", *args[1:]])]
        return []


def matches(wanted, item):
    """Is it this packet of Socket.IO?"""
    kind, nsp, ack, data = wanted
    if ((kind, nsp) != (item.type, item.nsp)
        or (item.ack != ack if isinstance(ack, str) else not item.ack)):
        return False
    if data is SID:
        return (isinstance(item.data, dict) and set(item.data) == {"sid"}
                and bool(SID.fullmatch(item.data["sid"])))
    return packets.same(data, item.data)
