"""Answers of the server to HTTP requests that have one form: which is expected, and what is wrong
with another."""
import json
import re

ERRORS = ["Transport unknown", "Session ID unknown", "Bad handshake method", "Bad request",
          "Forbidden", "Unsupported protocol version"]
# Answers without a code: status, body.
PLAIN = {"ok": (200, b"ok"), "refused": (400, b""), "large": (413, b""), "method": (500, b""),
         "length": (411, b""), "options": (204, b""),
         "chunked": (411, b'{"code":3,"message":"body without Content-Length"}')}
# A session at its end may still answer, or be unknown already. An upgrade may be declined before or
# after 101.
STATUS = {"dying": (101, 200, 400), "declined": (101, 400), "101": (101,)}
SID = re.compile(r"[A-Za-z0-9_-]{20}")
KEYS = {"sid", "upgrades", "pingInterval", "pingTimeout", "maxPayload"}


def _error(code, answer):
    if answer.status != (403 if code == 4 else 400):
        return False
    text = answer.body.decode(errors="replace")
    try:
        said = json.loads(text)
    except ValueError:
        said = None
    # The reference server refuses an upgrade with the message alone.
    return said == {"code": code, "message": ERRORS[code]} or text == ERRORS[code]


def wrong_answer(kind, answer):
    """None, or how the answer differs from the kind that was expected: a code, or a key of PLAIN or
    STATUS."""
    if kind in STATUS:
        good = answer.status in STATUS[kind]
    elif isinstance(kind, int):
        good = _error(kind, answer)
    else:
        good = (answer.status, answer.body) == PLAIN[kind]
    return (None if good
            else f"expected {f'error {kind}' if isinstance(kind, int) else kind}, found {answer}")


def wrong_open(packet, websocket):
    """None, or what is wrong with an open packet."""
    try:
        said = json.loads(packet[1:])
    except ValueError:
        said = None
    if packet[:1] != "0" or not isinstance(said, dict) or set(said) != KEYS:
        return f"expected an open packet, found {packet!r}"
    if said["upgrades"] != ([] if websocket else ["websocket"]) or not SID.fullmatch(said["sid"]):
        return f"expected other upgrades or another sid, found {packet!r}"
    return None
