"""Packets of Socket.IO 5 as this test understands them, apart from the server's own reading of
them.

parse() reads the text of a packet, as a server is to read what a client sends; Bad is a packet for
which a connection is to be closed. fill() puts attachments in the place of their placeholders,
split() takes them out. collect() puts together what a server sends. Of both, the type of a whole
packet is EVENT or ACK, binary or not.
"""
import base64
import json
import re
from collections import deque
from dataclasses import dataclass, field, replace

CONNECT, DISCONNECT, EVENT, ACK, CONNECT_ERROR, BINARY_EVENT, BINARY_ACK = range(7)
RESERVED = {"connect", "connect_error", "disconnect", "disconnecting", "newListener",
            "removeListener"}
WITHOUT_BYTES = {BINARY_EVENT: EVENT, BINARY_ACK: ACK}
PACKET = re.compile(
    r"(?P<type>[0-6])(?:(?P<count>\d*)-)?(?P<nsp>/[^,]*(?:,|$))?(?P<ack>\d*)(?P<json>.*)",
    re.DOTALL)


class Bad(Exception):
    """A packet for which the connection is to be closed."""


class Nothing:
    """No payload, which is not null."""

    def __deepcopy__(self, memo):
        return self


NOTHING = Nothing()


@dataclass
class Packet:
    """One packet. data is NOTHING if there is no payload."""

    type: int
    nsp: str = "/"
    ack: str = ""
    data: object = NOTHING
    count: int = 0
    got: list = field(default_factory=list)  # its attachments so far


def _depth(value):
    if isinstance(value, (list, dict)):
        inner = value.values() if isinstance(value, dict) else value
        return 1 + max(map(_depth, inner), default=0)
    return 0


def _refuse(name):
    raise Bad(f"{name} is not JSON")


def _payload(packet):
    """What is wrong with the payload, or nothing."""
    kind, data = packet.type, packet.data
    if kind == CONNECT:
        return data is not NOTHING and not isinstance(data, dict)
    if kind == DISCONNECT:
        return data is not NOTHING
    if kind == EVENT:
        if data is NOTHING:
            return False
        if not isinstance(data, list) or not data or isinstance(data[0], bool):
            return True
        return not isinstance(data[0], (str, int, float)) or data[0] in RESERVED
    return not isinstance(data, list)


def parse(text, attachments=10, depth=64, ack_digits=20, nsp_bytes=128):
    """The packet in a message without its leading 4, as a server reads it; raises Bad."""
    found = PACKET.fullmatch(text)
    if not found:
        raise Bad("unknown type")
    packet = Packet(int(found["type"]), (found["nsp"] or "/").rstrip(","), found["ack"])
    if len(packet.nsp.encode()) > nsp_bytes:
        raise Bad("namespace too long")
    if packet.type in (BINARY_EVENT, BINARY_ACK):
        if not found["count"]:
            raise Bad("no number of attachments")
        packet.count, packet.type = int(found["count"]), WITHOUT_BYTES[packet.type]
        if not 0 < packet.count <= attachments:
            raise Bad("number of attachments")
    elif found["count"] is not None:
        raise Bad("attachments of a packet that has none")
    if len(packet.ack) > ack_digits:
        raise Bad("ack id too long")
    if found["json"]:
        try:
            packet.data = json.loads(found["json"], parse_constant=_refuse)
        except (ValueError, RecursionError):
            raise Bad("not JSON") from None
        if _depth(packet.data) > depth:
            raise Bad("too deep")
    if packet.type == CONNECT_ERROR or _payload(packet):
        raise Bad("payload")
    if packet.count:
        fill(packet.data, [b""] * packet.count)
    return packet


def collect(coming, message):
    """A message of the server, and the packet whose attachments are coming or None: (coming, whole
    packet or None)."""
    if isinstance(message, bytes):
        if coming is None:
            raise Bad("an attachment of nothing")
        coming.got = [*coming.got, message]
        if len(coming.got) < coming.count:
            return coming, None
        coming.data = fill(coming.data, coming.got)
        return None, coming
    if coming is not None:
        raise Bad("text where an attachment is due")
    found = PACKET.fullmatch(message[1:])
    if message[:1] != "4" or not found:
        raise Bad("not a packet of Socket.IO")
    kind = int(found["type"])
    packet = Packet(WITHOUT_BYTES.get(kind, kind), (found["nsp"] or "/").rstrip(","), found["ack"],
                    json.loads(found["json"])
                    if found["json"] else NOTHING, int(found["count"] or 0))
    if (packet.count > 0) != (kind in WITHOUT_BYTES):
        raise Bad("a wrong number of attachments")
    return (packet, None) if packet.count else (None, packet)


def unpack(body):
    """The packets of a polling answer: texts, and bytes for messages in base64."""
    return [base64.b64decode(packet[1:], validate=True) if packet[:1] == "b" else packet
            for packet in body.decode().split("\x1e")]


def pack(messages):
    """The body of a POST."""
    return "\x1e".join("b" + base64.b64encode(message).decode()
                       if isinstance(message, bytes) else message
                       for message in messages).encode()


def fill(value, attachments):
    """value with the attachments in their places; raises Bad."""
    if isinstance(value, list):
        return [fill(item, attachments) for item in value]
    if isinstance(value, dict):
        if value.get("_placeholder") is True:
            number = value.get("num")
            if (type(number) is not int
                or not 0 <= number < len(attachments)):  # pylint: disable=unidiomatic-typecheck
                raise Bad("placeholder")
            return attachments[number]
        return {name: fill(item, attachments) for name, item in value.items()}
    return value


def split(value, out):
    """value with placeholders for its bytes, which go to out."""
    if isinstance(value, bytes):
        out.append(value)
        return {"_placeholder": True, "num": len(out) - 1}
    if isinstance(value, list):
        return [split(item, out) for item in value]
    if isinstance(value, dict):
        return {name: split(item, out) for name, item in value.items()}
    return value


def encode(kind, nsp="/", ack="", data=NOTHING):
    """The Engine.IO packets of one packet: a text, then its attachments.

    kind is EVENT or ACK also with bytes.
    """
    out = []
    payload = "" if data is NOTHING else json.dumps(split(data, out), separators=(",", ":"),
                                                    ensure_ascii=False)
    kind, count = (kind + 3, f"{len(out)}-") if out else (kind, "")
    return [f"4{kind}{count}{'' if nsp == '/' else nsp + ','}{ack}{payload}", *out]


def same(one, other):
    """Equal as JSON with bytes: 1 is not true."""
    return _plain(one) == _plain(other)


def _plain(value):
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return (type(value) is bool, value)  # pylint: disable=unidiomatic-typecheck


class Stream:
    """A trial of what came against what is to come: left of it, the packet whose attachments are
    coming, those taken, and the acks that they ask for."""

    def __init__(self, left, coming):
        self.left, self.taken, self.asked, self.pinged = deque(left), [], [], False
        self.coming = coming and replace(coming)

    def collect(self, message):
        """A whole packet, or None."""
        self.coming, item = collect(self.coming, message)
        return item
