"""Connections to pushd byte by byte, and an Engine.IO session by polling."""
import json

from rawlib.blocking import Http
from rawlib.wire import POLLING, TEXT, WEBSOCKET, frame, handshake, request

USER = 11


class HttpConnection(Http):
    """One request after the other, of a session once it has a sid.

    by: what it says in X-Forwarded-For; source: where it comes from.
    """

    def __init__(self, world, by=(), source=None, token=None):
        super().__init__(world, source=source)
        lines = [by] if isinstance(by, str) else by
        self.common = [f"X-Forwarded-For: {line}" for line in lines]
        self.common += [f"Authorization: Bearer {token}"] if token else []
        self.sid = None

    def ask(self, method, target, body=None, headers=()):
        """With what it says in every request."""
        return super().ask(method, target, body, [*self.common, *headers])

    def request(self, method, target, body=None, headers=()):
        """The status of the answer is 0 if the server closes without one."""
        return self.ask(method, target, body, headers).reply()

    def poll(self):
        """A handshake by polling."""
        answer = self.request("GET", POLLING)
        if answer.status == 200:
            self.sid = json.loads(answer.text[1:])["sid"]
        return answer

    def websocket(self, sid=""):
        """A handshake by WebSocket, or the upgrade of sid. 101: it is one now."""
        target = WEBSOCKET + (f"&sid={sid}" if sid else "")
        return self.send(handshake(target, *self.common)).reply()

    def get(self):
        """The next packets of the session."""
        return self.request("GET", f"{POLLING}&sid={self.sid}")

    def ask_post(self, body):
        """Send packets in the session, and do not wait for the answer."""
        return self.ask("POST", f"{POLLING}&sid={self.sid}", body)

    def post(self, body):
        """Send packets in the session."""
        return self.ask_post(body).reply()

    def say(self, packet):
        """Send a WebSocket text frame."""
        self.send(frame(TEXT, packet))


def ends(wire):
    """The status of the next answer, which says that the connection ends, as it then does."""
    answer = wire.reply()
    assert b"Connection: close\r\n" in answer.head and wire.rest() == b""
    return answer.status


def refused(world, reason):
    """How many requests were refused for this reason."""
    return world.metric("refused_requests", reason=reason)


def bearer(world, ident=USER):
    """The header line with a token."""
    return f"Authorization: Bearer {world.token(ident)}"


class Poll:
    """An Engine.IO session by polling, each request on a connection of its own.

    lines: the headers of its handshake, in their order, in place of the token of ident.
    """

    def __init__(self, world, ident=USER, lines=None):
        self.world = world
        lines = [bearer(world, ident)] if lines is None else lines
        self.opening = Http(world, request("GET", POLLING, *lines)).reply()
        assert self.opening.status == 200, self.opening
        self.path = f"{POLLING}&sid={json.loads(self.opening.text[1:])['sid']}"

    def get(self):
        """(status, body)"""
        return self.world.http("GET", self.path)[::2]

    def post(self, body, **headers):
        """(status, body)"""
        return self.world.http("POST", self.path, body, headers)[::2]

    def works(self):
        """CONNECT is answered."""
        assert self.post("40/tasks,{}") == (200, "ok")
        assert self.get()[1].startswith('40/tasks,{"sid":"')
        self.post("1")
        return True

    def gone(self):
        """The session is closed."""
        return self.get() == (400, '{"code":1,"message":"Session ID unknown"}')
