"""Moves drawn at random, with a mind to what the client is in: most are legal, so that it gets
somewhere.

next_move(dice, model, tag, rules): tag is the client's own, and is in whatever it sends, so that an
echo that is another's is not taken for its own. The ack id ASKED is that of the oldest ack that the
server waits for.
"""
import base64
import json

from rawlib.wire import BAD_FRAMES
from packets import ACK, CONNECT, DISCONNECT, EVENT, NOTHING, encode, split

ASKED = "ASKED"
ILLEGAL = ["", "2", "2probe", "7", "x", "4", "49", "4x", "42[]", "42{}", '42"x"', "42[", "42null",
           '42[null,"x"]', '42[true]', '42["connect"]', '42["disconnect","x"]', '42/nowhere,["x"]',
           "41/nowhere,", "43/nowhere,1[]", '40["x"]', '40"x"', '41{"x":1}', "43{}", "43",
           '44{"message":"x"}', "42abc[\"x\"]", '42-1["x"]', '451["x"]', '450-["x"]', '45-["x"]',
           '4511-["x"]', '451-["x",{"_placeholder":true,"num":1}]',
           '451-["x",{"_placeholder":true,"num":"0"}]', '461-{"_placeholder":true,"num":0}',
           '42["x"]y', "42['x']", '42["x",1.]', '42["x",01]', '42["x"', '42["newListener"]',
           '42["removeListener"]']
OURS = ["451-", "42" + "9" * 21 + '["x"]', '42["x",' + "[" * 64 + "]" * 64 + "]",
        "40/" + "n" * 200 + ",", "b***", "bYQ"]
HARMLESS = ["6", "0", "0{}", "5", "3", "6x", "42", '42["nobody listens",1]', '42[7,"a number"]',
            '43999999["unknown"]']
HARMLESS_HERE = ["421", '427["nobody answers this"]', '423["message","no ack"]']
NOWHERE = ["/nowhere", "/custom/more", "/tasks?token=1", "/Custom", "/\u00fc"]
WORDS = ["", "x", "a,b", "\u00e9\u4e16\U0001f600", "\\\"", "\n\t\u2028", "[1]", "\x01", "x" * 200]


def value(dice, bytes_too=False, depth=0):
    """Anything that JSON can hold, and bytes."""
    kind = dice.randrange(9 if depth < 3 else 6)
    if kind < 2:
        return dice.choice(WORDS)
    if kind < 4:
        return dice.choice((0, -1, 2**53 - 1, 1.5, 7, None, True, False))
    if kind == 4 and bytes_too:
        return dice.randbytes(dice.choice((0, 1, 2, 3, 50, 300)))
    if kind < 7:
        return [value(dice, bytes_too, depth + 1) for _ in range(dice.randrange(4))]
    return {dice.choice("abcd"): value(dice, bytes_too, depth + 1)
            for _ in range(dice.randrange(3))}


def few_bytes(args):
    """At most 10 attachments."""
    out = []
    split(args, out)
    return len(out) <= 10


def event(dice, model, tag):
    """The packets of an event of the main namespace, or an ack."""
    name = dice.choice(("message", "message", "message-with-ack", "ask", "answer", "room"))
    if name == "room" and not model.rules.node:
        room = f"r{tag}"
        return encode(EVENT, "/", "", ["room-emit", room, tag, value(dice)]
                      if room in model.app.rooms else ["join", room])
    name = name if name != "room" else "message"
    binary = dice.random() < 0.4
    args = [tag, dice.randrange(1 << 30), *(value(dice, binary) for _ in range(dice.randrange(3)))]
    if not few_bytes(args):
        args = args[:2]
    if name == "answer":
        return encode(ACK, "/", ASKED, args) if model.app.asked else ['42["ask"]']
    ack = (str(dice.choice((0, 1, 7, 12345678901234567, dice.randrange(1 << 20))))
           if name == "message-with-ack" else "")
    return encode(EVENT, "/", ack if not model.rules.node else ack[:9], [name, *args])


def legal(dice, model, tag):
    """Packets that keep the session, unless its state forbids what is drawn for a namespace."""
    free = [nsp for nsp in ("/", "/custom") if nsp not in model.app.joined]
    drawn = dice.random()
    if free and drawn < (0.6 if "/" in free else 0.1):
        nsp = dice.choice(free)
        text = encode(CONNECT, nsp, "", dice.choice((NOTHING, {}, {"token": tag, "n": [1, {}]})))[0]
        return [text.rstrip(",") if dice.random() < 0.3 else text]
    if drawn < 0.12 and model.app.joined:
        text = encode(DISCONNECT, dice.choice(sorted(model.app.joined)))[0]
        return [text.rstrip(",") if dice.random() < 0.3 else text]
    if drawn < 0.18:
        return [encode(CONNECT, dice.choice(NOWHERE), "", NOTHING)[0]]
    if drawn < 0.22 and model.app.left and not model.rules.node:
        return encode(EVENT, dice.choice(sorted(model.app.left)), "", ["message", tag])
    if drawn < 0.26 and "/custom" in model.app.joined:
        return encode(EVENT, "/custom", "", ["message", tag])
    if "/" in model.app.joined and drawn < 0.9:
        return event(dice, model, tag)
    harmless = dice.choice(HARMLESS if model.rules.node else HARMLESS + HARMLESS_HERE)
    return [harmless] if harmless[:1] != "4" or "/" in model.app.joined else ["6"]


def echo(dice, tag):
    """A message for an echo."""
    return [dice.randbytes(dice.choice((0, 1, 5, 300)))
            if dice.random() < 0.4 else f"4{tag} {dice.choice(WORDS)}"]


def messages(dice, model, tag, most=1):
    """What to send, as a POST or frames have it."""
    bad = model.rules.mode == "socket" and dice.random() < 0.05
    if bad:
        return [dice.choice(ILLEGAL if model.rules.node else ILLEGAL + OURS)]
    if model.rules.mode == "engine":
        out = sum((echo(dice, tag) for _ in range(most)), [])
        return out if dice.random() < 0.95 else [*out, dice.choice(("2", "7", "", "x"))]
    if model.app.half is not None:  # the attachments that are awaited, mostly
        out = [dice.randbytes(3) for _ in range(model.app.half.count - len(model.app.half.got))]
        return out if dice.random() < 0.9 else [*out[1:], "42[\"text\"]"]
    out = legal(dice, model, tag)
    # There what follows may be answered earlier.
    if model.rules.node and out[0][:2] in ("40", "43", "46"):
        return out
    for _ in range(dice.randrange(most)):
        # What is legal in the state before may not be in the state after: then the session ends.
        if not model.rules.node and dice.random() < 0.9 or "/" in model.app.joined:
            more = event(dice, model, tag) if "/" in model.app.joined else ["6"]
            out += more if not model.rules.node or more[0][:2] not in ("43", "46") else []
    if dice.random() < 0.1 and len(out) > 1 and isinstance(out[-1], bytes):
        out.pop()  # they come later
    return out


def printable(message):
    """As a move has it."""
    return ["b", base64.b64encode(message).decode()] if isinstance(message, bytes) else message


def post(dice, model, tag):
    """A POST."""
    how = dice.choices(("plain", "slow", "octet", "large", "huge", "chunked", "bare"),
                       (90, 8, 1, 2, 2, 1, 1))[0]
    if model.rules.node and how in ("octet", "chunked", "bare"):
        how = "plain"
    most = dice.choice((1, 1, 2, 5, 25))
    return ["post", [printable(message) for message in messages(dice, model, tag, most)], how]


def send(dice, model, tag, most=3):
    """Frames on the session's WebSocket."""
    frames = []
    for message in messages(dice, model, tag, dice.randint(1, most)):
        if isinstance(message, bytes):
            frames.append(["binary", base64.b64encode(message).decode()])
        else:
            # There CONNECT and acks are out of order.
            half = 5 if model.rules.mode == "engine" or not model.rules.node else 0
            form = dice.choices(("text", "parts", "bytes", "half"), (80, 8, 2, half))[0]
            frames.append(["parts", message, dice.randint(2, 5)]
                          if form == "parts" else [form, message])
    if dice.random() < 0.03:
        frames.append(dice.choice([["bad", dice.choice(sorted(BAD_FRAMES))], ["large"], ["close"]]))
    return ["send", "main", frames]


REFUSED = [("GET", "none", "polling", "3"), ("GET", "none", "polling", None),
           ("GET", "empty", "polling", "5"), ("GET", "none", "smoke", "4"),
           ("GET", "none", None, "4"), ("POST", "none", "polling", "4"),
           ("PUT", "none", "polling", "4"), ("GET", "none", "websocket", "4"),
           ("GET", "unknown", "polling", "4"), ("POST", "unknown", "polling", "4"),
           ("GET", "old", "polling", "4"), ("POST", "old", "polling", "4"),
           ("OPTIONS", "none", None, None), ("OPTIONS", "unknown", "polling", "4"),
           ("OPTIONS", "own", "polling", "4"), ("GET", "own", "smoke", "4"),
           ("GET", "own", "polling", "3"), ("POST", "own", "polling", None),
           ("PUT", "own", "polling", "4"), ("DELETE", "own", "polling", "4")]
NOT_NODE = [("GET", "own", "websocket", "4")]
REFUSED_WS = [("unknown", "websocket", "4"), ("old", "websocket", "4"), ("none", None, "4"),
              ("none", "smoke", "4")]
REFUSED_WS_NOT_NODE = [("none", "websocket", "3"), ("none", "polling", "4"),
                       ("own", "polling", "4"), ("own", "websocket", "3")]


def refused(dice, model):
    """A request that gets nowhere."""
    if dice.random() < 0.8:
        return ["http", *dice.choice(REFUSED + (NOT_NODE if not model.rules.node else []))]
    return ["ws", *dice.choice(REFUSED_WS + (REFUSED_WS_NOT_NODE if not model.rules.node else []))]


def polling(dice, model, tag):
    """A move of a session by polling."""
    kind = dice.choices(
        ("get", "post", "drain", "upgrade", "probe", "finish", "misuse", "both", "cut"),
        (20, 35, 15, 8, 25 * (model.probe is not None), 15 * (model.probe is not None), 1, 6, 2))[0]
    if kind == "get":  # a second one is an end
        return ["get"] if model.poll is None or dice.random() < 0.1 else ["drain"]
    if kind == "post":
        return post(dice, model, tag)
    if kind == "upgrade":
        return ["ws", "own", "websocket", "4"]
    if kind == "probe":
        if model.probed and dice.random() < 0.8:
            return ["drain"]
        return ["send", "probe",
                [dice.choice((["text", "2probe"], ["parts", "2probe", 2], ["half", "2probe"]))]]
    if kind == "finish":
        first = [] if model.probed else [["text", "2probe"]]
        return ["send", "probe", dice.choice(([["text", "5"]], [*first, ["text", "5"]]))]
    if kind == "misuse":
        return dice.choice((["send", "probe", [["text", "4x"]]],
                            ["send", "probe", [["binary", "eA=="]]],
                            ["send", "probe", [["bad", dice.choice(sorted(BAD_FRAMES))]]],
                            ["send", "probe", [["close"]]], ["cut", "probe", dice.random() < 0.5],
                            ["send", "probe", [["text", "2"]]]))
    if kind == "cut":
        return ["cut", "get", dice.random() < 0.5]
    if kind == "both":
        # Two POSTs at once are two in a row here, unless the first is paused.
        overlap = not model.rules.node and model.rules.event_rate >= 200
        other = dice.choice((["get"], ["get"], post(dice, model, tag) if overlap else ["get"],
                             ["ws", "own", "websocket", "4"], ["send", "probe", [["text", "5"]]],
                             ["send", "probe", [["text", "2probe"]]],
                             ["http", "GET", "own", "smoke", "4"]))
        return ["both", post(dice, model, tag) if dice.random() < 0.6 else ["get"], other]
    return ["drain"]


def websocket(dice, model, tag):
    """A move of a session by WebSocket."""
    drawn = dice.random()
    if drawn < 0.8:
        return send(dice, model, tag)
    if drawn < 0.85:
        return ["post", ["6"], "plain"]
    if drawn < 0.9:
        return ["get"]
    if drawn < 0.95:
        return ["ws", "own", "websocket", "4"]
    if drawn < 0.98:
        return ["both", send(dice, model, tag, 1),
                dice.choice((["get"], ["ws", "own", "websocket", "4"]))]
    return ["cut", "main", dice.random() < 0.5]


def next_move(dice, model, tag):
    """One move."""
    if model.lost:
        return ["leave"]
    if not model.alive:
        return (["open", dice.choice(("polling", "polling", "websocket"))]
                if dice.random() < 0.8 else refused(dice, model))
    if model.aborted is not None:
        return ["doom", False] if dice.random() < 0.8 else ["leave"]
    drawn = dice.random()
    if drawn < 0.06:
        return refused(dice, model)
    if drawn < 0.1:
        return ["wait", round(dice.random() * 0.2, 3)]
    if drawn < 0.115:
        return dice.choice((["late"], ["doom", True], ["doom", False], ["leave"]))
    move = (websocket if model.websocket else polling)(dice, model, tag)
    if drawn < 0.13:
        return ["rush", move] if move[0] != "both" else ["leave"]
    return ["check"] if drawn < 0.16 else move


def ending(dice, model):
    """The last moves of a history."""
    if not model.alive:
        return []
    closed = ["send", "main", [["close"]]] if model.websocket else ["post", ["1"], "plain"]
    return [["check"], dice.choice((["leave"], closed))]


def show(move):
    """A move as a line."""
    return json.dumps(move)
