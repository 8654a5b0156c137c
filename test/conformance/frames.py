"""Frames of WebSocket as moves name them, legal and not:

["text", text] ["binary", base64]  a message in one frame
["parts", text, n]                 in n frames, with a ping between the first two
["bytes", text]                    byte by byte
["half", text]                     only the first half, until the next frames are sent
["bad", kind]                      a key of BAD
["large"]                          a message larger than max_payload
["close"]                          a close frame
"""
import base64

from wire import BINARY, CLOSE, PING, TEXT, WebSocket

frame = WebSocket.frame
BAD = {
    "not masked": frame(b"2", mask=False), "reserved bits": frame(b"3", rsv=4), "reserved opcode": frame(b"3", opcode=3),
    "reserved control": frame(b"", opcode=11), "long control": frame(b"x" * 126, opcode=PING),
    "control in parts": frame(b"x", opcode=PING, fin=False), "continuation of nothing": frame(b"3", opcode=0),
    "not UTF-8": frame(b"\xff\xfe"), "half a character": frame(b"4\xc3"),
    "2^63 bytes": b"\x81\xff" + b"\xff" * 8 + b"\0" * 4, "close of one byte": frame(b"x", opcode=CLOSE),
}


class Frames:
    """What is sent on the WebSockets of one client."""

    def __init__(self, rules):
        self.rules = rules
        self.begun = {}  # WebSocket -> the rest of a frame that has been begun, and the packet that it ends

    def half(self, ws):
        """Has a frame been begun and not ended?"""
        return ws in self.begun

    def forget(self, ws):
        """It is gone."""
        self.begun.pop(ws, None)

    def encode(self, ws, frames):
        """(pieces of bytes to be sent, packets that are whole then); a packet None is an end."""
        data, whole = [], []
        if ws in self.begun:
            rest, packet = self.begun.pop(ws)
            data.append(rest)
            whole.append(packet)
        for name, *args in frames:
            pieces, packet = getattr(self, "_" + name)(*args)
            if name == "half":
                self.begun[ws] = pieces[1], packet
                data.append(pieces[0])
                break
            data += pieces
            whole.append(packet)
            if packet is None:
                break
        return data, whole

    def _text(self, text):
        return [frame(text.encode())], text

    def _binary(self, text):
        data = base64.b64decode(text)
        return [frame(data, BINARY)], data

    def _bytes(self, text):
        data = frame(text.encode())
        return [data[i:i + 1] for i in range(len(data))], text

    def _parts(self, text, count):
        data = text.encode()
        size = max(1, -(-len(data) // count))
        cut = [data[i:i + size] for i in range(0, len(data), size)] or [b""]
        pieces = [frame(part, TEXT if i == 0 else 0, i == len(cut) - 1) for i, part in enumerate(cut)]
        return [*pieces[:1], *([frame(b"between", PING)] if len(pieces) > 1 else []), *pieces[1:]], text

    def _half(self, text):
        data = frame(text.encode())
        return [data[:len(data) // 2], data[len(data) // 2:]], text

    def _bad(self, kind):
        return [BAD[kind]], None

    def _large(self):
        return [frame(b"4" + b"x" * self.rules.max_payload)], None

    def _close(self):
        return [frame((1000).to_bytes(2, "big"), CLOSE)], None
