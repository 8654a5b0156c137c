"""The client of the stateful test: it plays moves over real sockets and compares what comes back
with the models.

A move is a list, as JSON has it, so that a history can be printed and played again. Each has a
meaning in every state, if only that nothing is done, so that moves can be taken out of a history:

["open", transport]                  a session, if there is none
["get"]                              a GET; a second one at a time ends the session
["post", packets, how]               how: plain slow octet large huge chunked bare
["http", method, sid, transport, eio]  a request that will be refused; sid: own none empty unknown
                                       old
["ws", sid, transport, eio]          a WebSocket; the one of an upgrade is called probe until it is
                                     main
["send", which, frames]              which: main probe; frames are those of frames.py
["cut", what, reset]                 drop a connection: get main probe
["both", move, move]                 two at once
["drain"] ["check"] ["wait", seconds] ["late"] ["doom", mute] ["leave"] ["rush", move]
"""
import asyncio
import base64
import json
import os
import re
import time
from dataclasses import dataclass

import packets
from frames import Frames
from model import Model
from model_set import Finding, ModelSet
from moves import ASKED
from rawlib.streams import Connection, WebSocket
from rawlib.wire import PING, frame, request

PATIENCE = 10  # seconds for what is owed
ORDER = 0.3    # seconds for the answer to an older GET, which has to be read first
LONGEST = 40   # seconds for a move: some wait for a session to end by itself
SMALL = 4000   # bytes: a POST that a server takes whole, or waits for with all others
DECISION = 1   # seconds, where some model says that nothing is owed
SID = re.compile(r'"sid":"([^"]*)"')


@dataclass
class Step:
    """act(model) tells a model, send is what does it; request: by HTTP."""

    act: object
    send: object
    request: bool = False


class Client:
    """One client of one server; seen: all sids of all clients."""

    def __init__(self, address, rules, seen):
        self.address, self.rules, self.seen = address, rules, seen
        self.model_set = ModelSet(Model(rules))
        self.sid = self.old = None
        self.ids = 0
        self.gets = set()  # requests that are GETs of the session
        # Request -> connection; connections; WebSockets.
        self.flying, self.idle, self.sockets = {}, [], {}
        self.tasks, self.events = set(), []                # events of WebSockets, in order
        self.changed = asyncio.Event()
        self.finding, self.muted = None, False
        self.noops = 0
        self.frames = Frames(rules)

    # --- a history ---

    async def play(self, move):
        """One move, until all that it has caused has come."""
        try:
            await asyncio.wait_for(self._play(move), LONGEST)
        except asyncio.TimeoutError:
            raise Finding(f"after {LONGEST} s {move[0]} is not done; owed are "
                          f"{self.model_set.debts()}") from None

    async def _play(self, move):
        if move == ["get"] and self.model_set.likely.poll in self.flying:
            await self.flying[self.model_set.likely.poll].taken()  # so that it is the first one
        step = self.step(move)
        if asyncio.iscoroutine(step):
            await step
        elif step:
            self.model_set.apply(step.act)
            await self._run(step)
        await self.settle()

    def step(self, move):
        """What a move does: a Step, a coroutine if it is more than one step, or None if it has no
        meaning now."""
        return getattr(self, "do_" + move[0])(*move[1:])

    async def _run(self, *steps):
        """Send; the answer to a request is not awaited: it may be a GET that is held."""
        tasks = [self._task(step.send) for step in steps]
        await asyncio.sleep(0)
        waiting = [task for task, step in zip(tasks, steps) if not step.request]
        if waiting:
            await asyncio.wait(waiting)

    def _task(self, work):
        async def guarded():
            try:
                await work
            except Exception as error:  # pylint: disable=broad-except
                self.finding = self.finding or error
            self.changed.set()
        task = asyncio.ensure_future(guarded())
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    async def settle(self):
        """Wait until nothing is owed."""
        began = time.monotonic()
        while True:
            if self.finding:
                raise self.finding
            if await self._pong():
                continue
            debts = self.model_set.debts()
            waited = time.monotonic() - began
            if waited > PATIENCE and all(debts):
                raise Finding(f"waited {PATIENCE} s for {debts[0]}")
            if not any(debts) and not self.events:
                break
            if waited > DECISION and not all(debts):
                self.model_set.drop_debtors()
            self.changed.clear()
            try:
                await asyncio.wait_for(self.changed.wait(), 0.2)
            except asyncio.TimeoutError:
                pass
        self.model_set.settled()

    async def _pong(self):
        """Answer a ping. True if that has been done."""
        model = self.model_set.likely
        if self.muted or not (model.alive and model.pinged) or "ok" in model.expect.values() or (
                model.websocket
                and (model.main not in self.sockets or self.frames.half(model.main))):
            return False
        step = (self.do_send("main", [["text", "3"]]) if model.websocket else
                self.do_post(["3"], "plain"))
        self.model_set.apply(step.act)
        await self._task(step.send)
        return True

    async def close(self):
        """The end of everything."""
        for task in list(self.tasks):
            task.cancel()
        for connection in [*self.flying.values(), *self.idle, *self.sockets.values()]:
            connection.end()

    # --- requests ---

    def _name(self):
        self.ids += 1
        return self.ids

    def _sid(self, kind):
        """The text of a sid, and what the model calls it; None if there is none to be had."""
        if kind == "own":
            return (self.sid, "own") if self.sid else None
        if kind == "old":
            return (self.old, "unknown") if self.old else None
        return {"none": (None, "none"),
                "empty": ("", "none")}.get(kind, (os.urandom(10).hex(), "unknown"))

    def _target(self, sid, transport, eio):
        pairs = [("EIO", eio), ("transport", transport), ("t", os.urandom(4).hex()), ("sid", sid)]
        return self.rules.path + "?" + "&".join(f"{name}={value}" for name, value in pairs
                                                if value is not None)

    async def _request(self, rid, data, cuts=(), whole=True):
        connection = (self.idle.pop() if self.idle
                      and time.monotonic() - self.idle[-1].used < 1 else None)
        if not connection or not connection.usable:
            connection = await Connection.open(self.address)
        self.flying[rid] = connection
        answer = await connection.request(data, cuts)
        if not whole:
            connection.end()
        while any(other in self.flying
                  and other < rid for other in self.gets if rid in self.gets) and (
                      time.monotonic() < answer.ended + ORDER):
            await asyncio.sleep(0.005)
        if self.flying.pop(rid, None) is None:  # it was aborted
            return
        kind = self.model_set.likely.expect.get(rid)
        opened = kind == "open"
        self.noops += kind == "held" and answer.body == b"6"
        self.model_set.observe(lambda model: model.answered(rid, answer), answer.ended)
        if opened:
            self._opened(answer.body.decode())
        else:
            self._sids(answer.body.decode())
        if answer.status and connection.usable:
            self.idle.append(connection)
        self._pump()
        self.changed.set()

    def _opened(self, packet):
        self.old, self.sid = self.sid or self.old, json.loads(packet[1:])["sid"]
        self._fresh(self.sid)

    def _fresh(self, sid):
        if sid in self.seen:
            raise Finding(f"sid {sid} was given twice")
        self.seen.add(sid)

    def _sids(self, text):
        for packet in text.split("\x1e") if self.rules.mode == "socket" else ():
            if packet.startswith("40"):
                self._fresh(SID.search(packet).group(1))

    def do_open(self, transport):
        """A session, if there is none."""
        if any(model.alive for model in self.model_set.models):
            return None
        self.muted = False
        if transport == "websocket":
            return self.do_ws("none", "websocket", "4")
        return self.do_http("GET", "none", "polling", "4")

    def do_http(self, method, sid, transport, eio):
        """A request without packets."""
        rid, now, known = self._name(), time.monotonic(), self._sid(sid)
        if known is None:
            return None
        if (method, sid, transport, eio) == ("GET", "own", "polling", "4"):
            self.gets.add(rid)
        body = b"" if method in ("POST", "PUT") else None
        data = request(method, self._target(known[0], transport, eio), body=body)
        return Step(lambda model: model.request(rid, known[1], transport, eio, method, now),
                    self._request(rid, data), True)

    def do_get(self):
        """A GET of the session."""
        return self.do_http("GET", "own", "polling", "4")

    def do_post(self, messages, how):
        """A POST of packets."""
        if not self.sid:
            return None
        messages = [self._text(message)
                    if isinstance(message, str) else base64.b64decode(message[1])
                    for message in messages]
        rid, now, body = self._name(), time.monotonic(), packets.pack(messages)
        headers, cuts, whole = [], (), True
        if how == "slow":
            how, cuts = "plain", (0.3, 0.6, 0.99)
        elif how == "octet":
            headers = ["Content-Type: application/octet-stream"]
        elif how in ("large", "huge"):  # the beginning, or all of it
            length, whole = self.rules.max_payload + 1, False
            headers = [f"Content-Length: {length}"]
            body = b"x" * (length if how == "huge" or self.rules.node else 100)
        elif how == "bare":
            body = None
        elif how == "chunked":
            body, headers = None, ["Transfer-Encoding: chunked"]
        target = self._target(self.sid, "polling", "4")
        data = request("POST", target, *headers, body=body)
        return Step(lambda model: model.post(rid, messages, how, now),
                    self._request(rid, data, cuts, whole), True)

    def _text(self, text):
        """With the ack id that the server waits for."""
        return text.replace(ASKED, self.model_set.likely.app.asked[0][1]
                            if self.model_set.likely.app.asked else "999999")

    # --- WebSockets ---

    def do_ws(self, sid, transport, eio):
        """A WebSocket."""
        known = self._sid(sid)
        if known is None:
            return None
        ws, now = self._name(), time.monotonic()
        if sid == "own" and now < self.model_set.likely.ghost_until:
            self.model_set.fork(lambda model: None, lambda model: model.haunt())
        return Step(lambda model: model.upgrade(ws, known[1], transport, eio, now),
                    self._connect(ws, self._target(known[0], transport, eio)))

    async def _connect(self, ws, target):
        socket, answer = await WebSocket.open(self.address, target)
        self.model_set.observe(lambda model: model.answered(ws, answer), answer.ended)
        if socket:
            self.sockets[ws] = socket
            socket.listen(lambda packet: self._event(ws, packet), lambda: self._event(ws, None))
        self.changed.set()

    def _event(self, ws, packet):
        """A message on a WebSocket, or its end (None)."""
        self.events.append((ws, packet, time.monotonic()))
        self._pump()

    def _pump(self):
        """What came by WebSocket comes after what a GET was answered with that was held at the
        upgrade."""
        try:
            while self.events and not any(model.alive and isinstance(kind, tuple)
                                          for model in self.model_set.models
                                          for kind in model.expect.values()):
                self._take(*self.events.pop(0))
        except Exception as error:  # pylint: disable=broad-except
            self.finding = self.finding or error
        self.changed.set()

    def _take(self, ws, packet, at):
        socket = self.sockets.get(ws)
        if socket is None:  # left behind
            return
        if packet is None:
            del self.sockets[ws]
            self.frames.forget(ws)
            if socket.error:
                raise Finding(f"a WebSocket ended in {socket.error!r}")
            self.model_set.observe(lambda model: model.ended(ws, at), at)
            return
        self.model_set.observe(lambda model: model.message_on(ws, packet, at), at)
        if isinstance(packet, str) and packet[:1] == "0":
            self._opened(packet)
        elif isinstance(packet, str):
            self._sids(packet)

    def do_send(self, which, frames):
        """Frames, and then a ping of WebSocket: its pong says that they have been processed."""
        model = self.model_set.likely
        ws = getattr(model, which)
        if ws not in self.sockets:
            return None
        if (which == "probe"
            and time.monotonic() > model.probe_since + self.rules.upgrade_timeout / 2):
            return None  # the server's timer and this frame might cross
        data, whole = self.frames.encode(
            ws, [[self._text(str(word)) if i == 1 and frame[0] != "bad" else word
                  for i, word in enumerate(frame)] for frame in frames])
        now = time.monotonic()

        def act(one):
            for packet in whole:
                one.frame(ws, packet, now)

        return Step(act, self._frames(ws, data))

    async def _frames(self, ws, data):
        socket = self.sockets.get(ws)
        if socket is None:  # it has ended meanwhile
            return
        for part in data:
            await socket.send(part)
        if self.frames.half(ws):
            return
        mark = os.urandom(6)
        await socket.send(frame(PING, mark))
        end = time.monotonic() + PATIENCE
        while mark not in socket.pongs and not socket.closed:
            if time.monotonic() > end:
                raise Finding("no pong to a ping of WebSocket")
            await socket.moved()
        socket.pongs.discard(mark)

    # --- ends, and time ---

    def do_cut(self, what, reset):
        """Drop a connection."""
        model, now = self.model_set.likely, time.monotonic()
        if what == "get":
            rid = model.poll
            connection = self.flying.pop(rid, None)
            if connection:
                connection.end(reset)
                self.model_set.apply(lambda one: one.abort(rid, now))
            return
        ws = getattr(model, what)
        socket = self.sockets.pop(ws, None)
        if socket:
            self.events = [event for event in self.events if event[0] != ws]
            socket.end(reset)
            self.frames.forget(ws)
            self.model_set.apply(lambda one: one.dropped(ws, now))

    async def do_rush(self, move):
        """Begin something, and go."""
        step = self.step(move)
        if isinstance(step, Step):
            self.model_set.apply(step.act)
            self._task(step.send)
            await asyncio.sleep(0.002)  # chance decides what the server has seen of it
        elif step:
            step.close()
        await self.do_leave()

    async def do_both(self, one, other):
        """Two moves at once: the server may see either first."""
        if [one, other].count(["get"]) == 2 and (self.model_set.likely.poll is not None
                                                 or self.model_set.likely.stream):
            return  # of three GETs any may be the second, and of two either may be answered first
        if one[0] == other[0] == "post" and len(json.dumps([one, other])) > SMALL:
            return  # of two that come at the same time the second may be refused
        steps = [step for step in (self.step(one), self.step(other)) if step]
        if len(steps) == 2:
            self.model_set.either(steps[0].act, steps[1].act)
        elif steps:
            self.model_set.apply(steps[0].act)
        if steps:
            await self._run(*steps)

    async def do_wait(self, seconds):
        """Nothing, for so long."""
        await asyncio.sleep(seconds)

    async def do_drain(self):
        """GETs, until all that was to come has come."""
        await self.settle()
        while self.model_set.likely.stream and self.model_set.likely.alive:
            model = self.model_set.likely
            if model.poll is not None or model.websocket:
                break
            await self.play(["get"])

    async def do_check(self):
        """Nothing has come and nothing is left but what was expected: a message there and back."""
        if "/" in self.model_set.likely.app.joined and self.model_set.likely.app.half is None:
            mark = '42123["message-with-ack","check"]'
            await self.play(["send", "main", [["text", mark]]]
                            if self.model_set.likely.websocket else
                            ["post", [mark], "plain"])
        await self.do_drain()

    async def do_late(self):
        """A pong that comes late, but not too late."""
        model = self.model_set.likely
        if not model.alive or self.frames.half(model.main) or model.aborted is not None:
            return
        hears = model.main in self.sockets
        self.muted = True
        end = time.monotonic() + self.rules.ping_interval + self.rules.late
        while (self.model_set.likely.alive and not self.model_set.likely.pinged
               and time.monotonic() < end):
            if not self.model_set.likely.websocket and self.model_set.likely.poll is None:
                await self.play(["get"])
            await asyncio.sleep(0.02)
            await self.settle()
        if not self.model_set.likely.pinged and (hears or self.model_set.likely.alive):
            raise Finding("no ping has come")
        await asyncio.sleep(self.rules.ping_timeout * 0.4)
        self.muted = False

    async def do_doom(self, mute):
        """Do nothing more, or not even answer pings, until the session ends by itself."""
        if (not mute and self.model_set.likely.app.ever_joined
            and self.model_set.likely.aborted is None):
            return  # it will not
        self.muted = mute
        while any(model.alive for model in self.model_set.models):
            model = self.model_set.likely
            if not model.websocket:
                await self.play(["post", ["6"], "plain"])
            elif model.main is None:
                await self.play(["get"])
            elif model.must_be_gone(time.monotonic()):
                raise Finding("a session lives that must have ended by itself")
            await asyncio.sleep(0.1)
            await self.settle()
        self.muted = False

    async def do_leave(self):
        """Go without a word, and forget the session."""
        for task in list(self.tasks):
            task.cancel()
        sockets, flying = list(self.sockets.values()), list(self.flying.values())
        self.events.clear()
        self.sockets.clear()
        self.flying.clear()
        for connection in [*sockets, *flying]:
            connection.end(True)
        self.frames = Frames(self.rules)
        self.sid = None  # not old: the session lives on
        self.model_set = ModelSet(Model(self.rules))
