"""What a server must answer to one client of Engine.IO 4 and Socket.IO 5: the model of the stateful
test.

The model does no input or output. A client tells it what it sends (request, post, upgrade, frame
...) before the bytes leave, and asks it whether what comes back can be (answered, message_on,
ended): None, or what is wrong with it. The model knows one session at a time, and of it the
transport, the held GET, the WebSocket that probes, the application (sockets.py), and the stream:
what the server has still to send, in order.

Time only tolerates: a session that may have timed out is allowed to be gone (may_be_gone), one that
must have is not allowed to answer (must_be_gone). What is not certain otherwise is for the ModelSet
(see model_set.py).
"""
import copy
from collections import deque
from dataclasses import dataclass

import packets
from answers import wrong_answer, wrong_open
from packets import CONNECT, Bad
from sockets import Echo, Sockets, matches

FOREVER = float("inf")


@dataclass
class Rules:
    """The server's settings, in seconds and bytes, and whether it is the reference server, which
    differs."""

    mode: str = "socket"
    node: bool = False
    ping_interval: float = 0.4
    ping_timeout: float = 1.2
    connect_timeout: float = 3
    upgrade_timeout: float = 2
    max_payload: int = 100000
    event_rate: int = 200
    poll_packets: int = 16
    early: float = 0.05   # a timer of the server may seem so early
    late: float = 5       # and so late, on a busy machine

    @property
    def path(self):
        """Where the server is."""
        return f"/{self.mode}.io/"

    def options(self):
        """These settings as options of the server."""
        names = ("ping_interval", "ping_timeout", "connect_timeout", "upgrade_timeout")
        return {**{name: f"{getattr(self, name) * 1000:.0f}ms" for name in names},
                "max_payload": self.max_payload, "event_rate": self.event_rate}


class Model:
    """One client's session. alive: it has one, as far as it knows."""

    def __init__(self, rules):
        self.rules = rules
        self.alive = False
        self.expect = {}      # request -> kind of its answer
        self.own = set()      # requests that name the session
        self.closing = set()  # WebSockets that the server has to close
        self.declined = set()  # WebSockets of no session
        self.main = self.probe = self.poll = None
        self.reset(0.0, False)

    # --- the session's life ---

    def reset(self, now, websocket):
        """A new session."""
        self.websocket, self.main, self.probe, self.poll = websocket, None, None, None
        self.noops = set()                      # GETs that may be released by a noop
        self.probe_since, self.probe_owed, self.probed = now, 0, False
        self.stream, self.coming = deque(), None
        self.app = Echo() if self.rules.mode == "engine" else Sockets(self.rules.node)
        self.join_heard = self.app.ever_joined
        self.opened = self.pong = self.new_pong = self.ping_base = now
        self.aborted, self.pinged = None, False
        self.ghost_until, self.lost = 0.0, False

    def end(self, farewell="1"):
        """The session is over. farewell: what a held GET is told."""
        self.alive = False
        # It goes on until the next GET, one way or another.
        self.lost = self.rules.node and not self.websocket
        if self.poll is not None:
            self.expect[self.poll] = ("last", farewell)
        self.closing |= {ws for ws in (self.main, self.probe) if ws not in (None, "ghost")}
        self.main = self.probe = self.poll = None

    def expire(self):
        """It has timed out, or an aborted GET was noticed, who knows when: what is under way is
        answered or not."""
        self.end()
        for request in self.own & set(self.expect):
            self.expect[request] = "dying"

    def dooms(self):
        """(earliest, latest) of each reason why it may be gone."""
        rules = self.rules
        whole = rules.ping_interval + rules.ping_timeout
        # The reference server waits once more if it receives anything else than a pong.
        late = rules.late + (rules.ping_timeout if rules.node else 0)
        yield self.pong + whole - rules.early, self.new_pong + whole + late
        if not self.join_heard:
            latest = (self.opened + rules.connect_timeout + late
                      if not self.app.ever_joined else FOREVER)
            yield self.opened + rules.connect_timeout - rules.early, latest
        # A ping may have been on its way to it: then the session goes on.
        if self.aborted is not None:
            yield self.aborted, max(self.aborted, self.pong + whole) + late

    def may_be_gone(self, at):
        """Can it have ended by itself?"""
        return any(earliest <= at for earliest, _ in self.dooms())

    def must_be_gone(self, at):
        """Must it have?"""
        return any(latest < at for _, latest in self.dooms())

    def settled(self):
        """All that was sent has been processed."""
        self.pong = self.new_pong

    # --- requests ---

    def refusal_code(self, sid, transport, eio, method, upgrade=False):
        """The code of a request that is refused before it comes to a session.

        sid: own, none or unknown.
        """
        if transport not in ("polling", "websocket"):
            return 0
        if sid == "unknown" or (sid == "own" and not self.alive):
            return 1
        if sid == "own":
            return (3 if eio != "4" or (transport == "websocket") != upgrade
                    or (self.websocket and not upgrade) else None)
        if method != "GET":
            return 2
        if (transport == "websocket") != upgrade:
            return 3
        return 5 if eio != "4" else None

    def request(self, rid, sid, transport, eio, method, now):
        """Any request without a body. Returns models of what else may happen."""
        if sid == "own":
            self.own.add(rid)
        code = self.refusal_code(sid, transport, eio, method)
        if method == "OPTIONS":
            self.expect[rid] = "options"
        elif code is not None:
            self.expect[rid] = code
        elif sid == "none":
            self.expect[rid] = "open"
            self.reset(now, False)
            self.alive = True
        elif method != "GET":
            self.expect[rid] = "method"
        elif self.poll is not None:
            crossed = self._crossed(rid, now)
            # Which one the server saw first is not known.
            self.expect[rid] = self.expect[self.poll] = ("pair", (rid, self.poll))
            self.poll = None
            self.end()
            return crossed
        else:
            self.hold(rid, now)
        return []

    def hold(self, rid, now):
        """A GET that waits for packets."""
        self.poll, self.expect[rid] = rid, "held"
        if self.probe is not None or now < self.ghost_until:
            self.noops.add(rid)

    def _crossed(self, rid, now):
        """There may have been something for the first GET just before the second came."""
        soon = now + self.rules.late / 10  # until the server has the second
        if (not self.stream and soon < self.pong + self.rules.ping_interval
            and self.poll not in self.noops):
            return []
        model = copy.deepcopy(self)
        model.hold(rid, now)
        return [model]

    def post(self, rid, body, how, now):
        """A POST of packets.

        how: plain, octet (-stream), or what is refused unread: large, huge, chunked, bare.
        """
        self.own.add(rid)
        code = self.refusal_code("own", "polling", "4", "POST")
        if how in ("large", "huge", "chunked", "bare"):
            self.expect[rid] = {"huge": "large", "bare": "length"}.get(how, how)
        elif code is not None:
            self.expect[rid] = code
        elif how == "octet":
            self.expect[rid] = "refused"
            self.end()
        else:
            self.expect[rid] = "ok" if self.take(body, now) else "refused"

    def take(self, body, now):
        """The packets of a POST. False if a bad one ended the session."""
        for packet in body:
            if isinstance(packet, str) and packet[:1] == "b":
                packet = "bad base64"
            self.packet(packet, now)
            if not self.alive:
                return packet[:1] == "1"
        return True

    def abort(self, rid, now):
        """The client drops the connection of a GET."""
        self.expect.pop(rid, None)
        self.aborted = now
        if self.poll == rid:
            self.poll = None

    # --- WebSockets ---

    def upgrade(self, ws, sid, transport, eio, now):
        """A WebSocket is asked for; its request has the same name."""
        if sid == "own":
            self.own.add(ws)
        code = self.refusal_code(sid, transport, eio, "GET", upgrade=True)
        self.expect[ws] = "101" if code is None else code
        if code is None and sid == "none":
            self.reset(now, True)
            self.alive, self.main = True, ws
            self.stream.append("open")
        elif code is None and (self.websocket or self.probe is not None):
            self.expect[ws] = "declined"
            self.closing.add(ws)
            self.declined.add(ws)
        elif code is None:
            self.probe, self.probe_since, self.probe_owed, self.probed = ws, now, 0, False
            if self.poll is not None:
                self.noops.add(self.poll)

    def frame(self, ws, packet, now):
        """A whole message on a WebSocket; packet None: what ends a WebSocket at once."""
        if ws == self.main:
            if packet is None:
                self.end()
            else:
                self.packet(packet, now)
        elif ws == self.probe and packet == "2probe" and not (self.probed and not self.rules.node):
            self.probed = True  # we answer one: a flood of them would fill memory
            self.probe_owed += 1
        elif ws == self.probe and packet == "5":
            self.main, self.probe, self.websocket = self.probe, None, True
            if self.poll is not None:
                self.expect[self.poll] = ("last", "1" if self.rules.node else "6")
                self.poll = None
        elif ws == self.probe:
            self.closing.add(self.probe)
            self.probe, self.probe_owed = None, 0

    def dropped(self, ws, now):
        """The client drops a WebSocket; the server will notice."""
        self.closing.discard(ws)
        if ws == self.main:
            self.main, self.aborted = None, now
        elif ws == self.probe:
            self.probe, self.ghost_until = None, now + self.rules.late

    def haunt(self):
        """It has not noticed yet that the WebSocket that probed is gone."""
        self.probe = self.probe or "ghost"

    # --- packets of the client ---

    def packet(self, packet, now):
        """One packet, over the session's transport."""
        kind = packet[:1]
        if isinstance(packet, bytes):
            self.message(packet)
        elif kind == "3":
            # Else a ping may be under way; nor is it known when a client is read from that sends
            # too fast.
            if self.pinged and self.rules.event_rate >= 200:
                self.ping_base = now
            self.new_pong, self.pinged = now, False
        elif kind == "4":
            self.message(packet[1:])
        elif kind == "1":
            self.end("6")
        elif kind not in ("0", "5", "6"):
            self.end()

    def message(self, message):
        """A message for the application."""
        try:
            take = self.app.binary if isinstance(message, bytes) else self.app.text
            more = take(message)
        except Bad:
            self.end()
        else:
            self.stream.extend(more)

    # --- what came ---

    def answered(self, rid, answer):
        """An answer has come."""
        kind = self.expect[rid]
        if self.lost:
            wrong = None
        elif kind == "open":
            wrong = (wrong_open(answer.body.decode(), False) if answer.status == 200
                     else f"expected a handshake, found {answer}")
        elif kind == "held":
            wrong = self._polled(rid, answer)
        elif isinstance(kind, tuple) and kind[0] == "pair" and answer.status == 400:
            wrong = wrong_answer("refused", answer)
            self.expect.update({other: ("last", "1") for other in kind[1] if other in self.expect})
        elif isinstance(kind, tuple):
            wrong = self._last(rid, answer, kind[1])
        else:
            wrong = wrong_answer(kind, answer)
        if not wrong and kind in ("ok", "held") and self.must_be_gone(answer.began):
            wrong = f"a session answers that must have ended by itself: {answer}"
        if not wrong:
            del self.expect[rid]
            if rid == self.poll:
                self.poll = None
            if answer.status != 101:
                self.closing.discard(rid)
        return wrong

    def _polled(self, rid, answer):
        if (answer.status != 200
            or not answer.headers.get("content-type", "").startswith("text/plain")):
            return f"expected packets, found {answer}"
        return self.heard(packets.unpack(answer.body), answer.ended, rid in self.noops)

    def _last(self, rid, answer, farewell):
        """Of a GET that was held when the session, or polling, came to its end."""
        if (answer.ended < answer.began + self.rules.late / 10
            and not wrong_answer(3 if self.alive else 1, answer)):
            return None  # it came after that
        if answer.status != 200:
            return f"expected 200 {farewell}, found {answer}"
        if isinstance(farewell, tuple):  # of a pair: the other will be refused
            self.expect.update({other: "refused" for other in farewell if other in self.expect})
            farewell = "1"
        return self.heard(packets.unpack(answer.body), answer.ended, rid in self.noops, farewell)

    def heard(self, came, at, noop=False, farewell=None):
        """Packets have come, in one answer or as a message."""
        if len(came) > self.rules.poll_packets and not self.rules.node:
            return f"{len(came)} packets in one answer"
        trial = packets.Stream(self.stream, self.coming)
        for packet in came:
            if packet == "2":
                if at < self.ping_base + self.rules.ping_interval - self.rules.early:
                    return "a ping too early"
                trial.pinged = True
            elif packet != farewell and not (packet == "6" and noop):
                wrong = self._next(trial, packet)
                if wrong:
                    return wrong
        self.stream, self.coming, self.pinged = (trial.left, trial.coming, self.pinged
                                                 or trial.pinged)
        for asked in trial.asked:
            self.app.heard(*asked)
        self.join_heard |= any(item.type == CONNECT for item in trial.taken)
        return None

    def _next(self, trial, packet):
        """The next of the stream: None, or why it is not."""
        wanted = trial.left[0] if trial.left else None
        if self.rules.mode == "engine" or wanted == "open":
            good = wrong_open(packet, True) is None if wanted == "open" else wanted == packet
            if good:
                trial.left.popleft()
            return None if good else f"expected {wanted or 'nothing'!r}, found {packet!r}"
        try:
            item = trial.collect(packet)
        except Bad as error:
            return f"expected {wanted or 'nothing'!r}, found {packet!r}: {error}"
        if item is None or (wanted and matches(wanted, item)):
            if item:
                trial.taken.append(item)
                life = trial.left.popleft()[2]
                if not isinstance(life, str):
                    trial.asked.append((item.nsp, life, item.ack))
            return None
        return f"expected {wanted or 'nothing'!r}, found {item}"

    def message_on(self, ws, packet, at):
        """A message has come on a WebSocket, which may be closing."""
        if ws in self.declined:
            return f"a WebSocket of no session received {packet!r}"
        if ws != self.probe and not (ws == self.main and self.probe_owed):
            return None if ws in self.closing and packet == "3probe" else self.heard([packet], at)
        if packet != "3probe" or not self.probe_owed:
            return (f"expected {'3probe' if self.probe_owed else 'nothing'} on a WebSocket that "
                    f"probes, found {packet!r}")
        self.probe_owed -= 1
        return None

    def ended(self, ws, at):
        """The server has closed a WebSocket."""
        if (ws == self.probe
            and at >= self.probe_since + self.rules.upgrade_timeout - self.rules.early):
            self.probe = None
        elif ws in (self.main, self.probe):
            return "a WebSocket was closed without a reason"
        self.closing.discard(ws)
        return None

    # --- what is owed ---

    def debts(self):
        """What the server has still to do without being asked again."""
        owed = [f"answer {kind} to request {rid}" for rid, kind in self.expect.items()
                if rid != self.poll]
        owed += [f"the end of WebSocket {ws}" for ws in self.closing]
        if self.alive and self.stream and (self.main is not None or self.poll is not None):
            owed.append(f"packet {self.stream[0]}")
        if (self.alive and self.poll is not None and self.probe not in (None, "ghost")
            and self.probed):
            # The client's GET must end before it may send its 5; a ping may be as quick.
            owed.append("a noop")
        if self.probe_owed and (self.probe is not None or (self.alive and self.main is not None)):
            owed.append("3probe")
        return owed
