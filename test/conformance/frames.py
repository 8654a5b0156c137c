"""Frames of WebSocket as moves name them, legal and not:

["text", text] ["binary", base64]  a message in one frame
["parts", text, n]                 in n frames, with a ping between the first two
["bytes", text]                    byte by byte
["half", text]                     only the first half, until the next frames are sent
["bad", kind]                      a key of BAD_FRAMES
["large"]                          a message larger than max_payload
["close"]                          a close frame
"""
import base64

from rawlib.wire import BAD_FRAMES, BINARY, CLOSE, PING, TEXT, fragments, frame


class Frames:
    """What is sent on the WebSockets of one client."""

    def __init__(self, rules):
        self.rules = rules
        # WebSocket -> the rest of a frame that has been begun, and the packet that it ends.
        self.begun = {}

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
        return [frame(TEXT, text)], text

    def _binary(self, text):
        data = base64.b64decode(text)
        return [frame(BINARY, data)], data

    def _bytes(self, text):
        data = frame(TEXT, text)
        return [data[i:i + 1] for i in range(len(data))], text

    def _parts(self, text, count):
        data = text.encode()
        size = max(1, -(-len(data) // count))
        cut = [data[i:i + size] for i in range(0, len(data), size)] or [b""]
        first, *others = fragments(TEXT, *cut)
        return [first, *([frame(PING, "between")] if others else []), *others], text

    def _half(self, text):
        data = frame(TEXT, text)
        return [data[:len(data) // 2], data[len(data) // 2:]], text

    def _bad(self, kind):
        return [BAD_FRAMES[kind]], None

    def _large(self):
        return [frame(TEXT, "4" + "x" * self.rules.max_payload)], None

    def _close(self):
        return [frame(CLOSE, (1000).to_bytes(2, "big"))], None
