"""Behind nginx, HAProxy and both in a row: whose address counts, that connections of a proxy are
used again, and that every client works over every transport."""
import json
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from http_connection import HttpConnection
from lablib.facts import wait_for
from lablib.lab import TOP
from proxies import connections_to, running
from rawlib.blocking import Http
from rawlib.wire import POLLING, TEXT, WEBSOCKET, frame, handshake, request
from test_admission import addresses
from test_real_clients import KINDS, NEWS, TASKS, TRANSPORTS, check_hearing, joined

# Which proxy, and at which of its ports.
ROUTES = {"nginx": ("nginx", "http"), "nginx as HQ's": ("nginx", "hq"),
          "HAProxy": ("haproxy", "http"), "HAProxy, HTTP/2": ("haproxy", "http2"),
          "HAProxy before nginx": ("haproxy_nginx", "http"),
          "HTTP/2 to HAProxy before nginx": ("haproxy_nginx", "http2"),
          "nginx before HAProxy": ("nginx_haproxy", "http")}
WRONG = "192.0.2.9"  # what clients would like to be
LIE = f"X-Forwarded-For: {WRONG}"
# Lines before and after a lie.
TRICKS = {
    "nothing": ([], []), "x-f": ([], ["x-f: 1"]), "before": (["x-f: 1"], []),
    "X-Auth": ([], ["X-Auth: a"]), "almost": ([], ["X-Forwarded-Fo: 1"]),
    "more": ([], [f"X-Forwarded-For2: {WRONG}"]), "twice": ([], [LIE]),
    "underscores": ([], [f"X_Forwarded_For: {WRONG}"]), "dots": ([], [f"X.Forwarded.For: {WRONG}"]),
    "in capitals": ([], [LIE.upper()]), "Forwarded": ([], [f"Forwarded: for={WRONG}"]),
    "X-Real-IP": ([], [f"X-Real-IP: {WRONG}", f"Client-IP: {WRONG}"]),
    "Via": ([], ["Via: 1.1 a", "Max-Forwards: 0"]),
    "trusted": ([], ["X-Forwarded-For: 127.0.0.1"]),
    "behind a trusted one": ([], [f"X-Forwarded-For: {WRONG}, 127.0.0.1"]),
    "empty": ([], ["X-Forwarded-For:"]), "commas": ([], ["X-Forwarded-For: ,, ,"]),
    "a tab": ([], [f"X-Forwarded-For:\t{WRONG}\t"]), "quoted": ([], [f'X-Forwarded-For: "{WRONG}']),
    "no address": ([], ["X-Forwarded-For: unknown"]),
    "a port": ([], [f"X-Forwarded-For: {WRONG}:80, [2001:db8::9]:80"]),
    "many": ([], [LIE] * 40), "long": ([], ["X-Forwarded-For: " + f"{WRONG}, " * 300 + WRONG]),
    "long word": ([], ["X-Forwarded-For: " + "1" * 3000]),
}
# HTTP/2 has no such header.
HOP_BY_HOP = {
    "Connection": ([], ["Connection: X-Forwarded-For"]),
    "Connection, before": (["Connection: keep-alive, X-Forwarded-For"], []),
    "Keep-Alive": ([], ["Keep-Alive: timeout=9", "Proxy-Connection: X-Forwarded-For"]),
}


@pytest.fixture(scope="module")
def world(make_world):
    """A daemon that trusts the proxies of this machine."""
    return make_world(options=["--trusted-proxies", "127.0.0.1", "--namespaces", f"{TASKS} {NEWS}",
                               "--handshake-rate", "0"])


@pytest.fixture(scope="module")
def proxies(world):
    """All proxies, by name."""
    with running(world) as made:
        yield made


@pytest.fixture(scope="module")
def routes(proxies):
    """routes[name]: the world as it looks from before the proxy of that name."""
    return {name: proxies[proxy].before(at)
            for name, (proxy, at) in {**ROUTES, "HAProxy, TLS": ("haproxy", "https")}.items()}


@pytest.fixture(autouse=True)
def same_process(world):
    """The daemon survives each test."""
    pid = world.lab.daemon(0).pid()
    yield
    assert world.lab.daemon(0).pid() == pid


class Http1:
    """The clients of a route, each from an address of its own."""

    def __init__(self, route):
        self.route, self.connections = route, {}

    def ask(self, source, method, path, lines, body=None):
        """(status, text)"""
        if source not in self.connections:
            self.connections[source] = Http(self.route, source=source)
        return self.connections[source].request(method, path, body, lines).said

    def close(self):
        """End their connections."""
        for connection in self.connections.values():
            connection.close()


class Http2:
    """The same over HTTP/2."""

    def __init__(self, route):
        self.process = subprocess.Popen(["node", f"{TOP}/test/js/http2.js", str(route.address[1])],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, source, method, path, lines, body=None):
        """(status, text)"""
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers.setdefault(name.lower(), []).append(value.strip())
        self.process.stdin.write(json.dumps({"source": source, "method": method, "path": path,
                                             "headers": headers, "body": body}) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        return answer["status"], answer["body"]

    def close(self):
        """End their connections."""
        self.process.terminate()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


def begin(asking, source, lines):
    """Connect by polling; the path of the session."""
    status, text = asking.ask(source, "GET", POLLING, lines)
    assert status == 200, text
    path = f"{POLLING}&sid={json.loads(text[1:])['sid']}"
    assert asking.ask(source, "POST", path, lines, "40/tasks,{}") == (200, "ok")
    return path


@pytest.mark.parametrize("name", ROUTES)
def test_no_client_chooses_its_address(world, routes, clients, name):
    """Neither by polling nor by WebSocket, with whatever it writes beside X-Forwarded-For."""
    route, ident = routes[name], 11 + list(ROUTES).index(name)
    authorization = f"Authorization: Bearer {world.token(ident)}"
    kind, tricks = (Http2, TRICKS) if "HTTP/2" in name else (Http1, {**TRICKS, **HOP_BY_HOP})
    asking, sessions, sources = clients(kind(route)), [], []
    for number, (before, after) in enumerate(tricks.values()):
        lines = [authorization, *before, LIE, *after]
        sources.append(f"127.0.1.{number + 1}")
        sessions.append((sources[-1], begin(asking, sources[-1], lines)))
        if kind is Http1:
            sources.append(f"127.0.2.{number + 1}")
            wire = clients(Http(route, handshake(WEBSOCKET, *lines), source=sources[-1]))
            assert wire.status() == 101, lines
            wire.send(frame(TEXT, "40/tasks,{}"))
    wait_for(lambda: len(addresses(world, ident)) >= len(sources), "all to be in the database")
    assert sorted(addresses(world, ident)) == sorted(sources)
    for source, path in sessions:
        assert asking.ask(source, "POST", path, [], "1") == (200, "ok")


@pytest.mark.parametrize("name", ROUTES)
def test_the_log_says_the_true_address(world, routes, clients, name):
    token, source = world.token(3, forged=True), f"127.0.3.{1 + list(ROUTES).index(name)}"
    asking = clients((Http2 if "HTTP/2" in name else Http1)(routes[name]))
    begin(asking, source, [f"Authorization: Bearer {token}", LIE, "x-f: 1"])
    wait_for(lambda: f"address={source}" in world.log(), f"address={source} in the log")
    assert WRONG not in world.log()


@pytest.mark.parametrize("name", ["nginx", "HAProxy", "HAProxy before nginx"])
def test_a_connection_of_a_proxy_serves_the_requests_of_many_clients(world, routes, clients, name):
    port, before = world.address[1], connections_to(world.address[1])
    seen = set()
    for _ in range(40):
        client = clients(HttpConnection(routes[name]))
        assert client.poll().status == 200
        assert client.post("1").said == (200, "ok")
        client.close()
        seen |= connections_to(port) - before
    # HAProxy makes others to see whether pushd is there.
    assert len(seen) < 10, f"{len(seen)} connections for 80 requests"


def crew(routes, kept, route_of, ways):
    """A client of each kind over each transport, {kind-way: client}, all at once."""
    def one(kind, way):
        factory, ident = KINDS[kind]
        kept.append(factory(routes[route_of[kind]], ident, transports=TRANSPORTS[way],
                            namespaces=[TASKS, NEWS]))
        return kept[-1]
    with ThreadPoolExecutor(4) as pool:
        begun = {f"{kind}-{way}": pool.submit(one, kind, way) for kind in route_of for way in ways}
    return {name: client.result() for name, client in begun.items()}


@pytest.mark.parametrize("route_of", [
    dict.fromkeys(KINDS, "nginx"), dict.fromkeys(["python", "node"], "nginx as HQ's"),
    {**dict.fromkeys(["python", "node"], "HAProxy"), "chromium": "HAProxy, TLS"}],
    ids=["nginx", "as_HQ", "HAProxy"])
def test_every_client_works_over_every_transport(world, routes, clients, route_of):
    kept = []
    try:
        made = crew(routes, kept, route_of, TRANSPORTS)
        joined(world, made)
        check_hearing(world, made, "first")
        for name, client in made.items():
            expected = "polling" if name.endswith("polling") else "websocket"
            wait_for(lambda: client.transport == expected,  # noqa: B023
                     f"{name} to use {expected}")
            assert client.call("any", nsp=NEWS) == []
        check_hearing(world, made, "second")
        assert all(set(client.connects_in.values()) == {1} for client in made.values())
    finally:
        for client in kept:
            client.close()


def test_a_browser_speaks_http2_to_haproxy(proxies):
    """So the test before has tried that."""
    assert {"GET HTTP/2.0 200", "POST HTTP/2.0 200"} <= set(proxies["haproxy"].log().splitlines())


def test_a_connection_of_a_proxy_waits_longer_for_its_next_request(own_lab):
    """A proxy must not repeat a POST that met the end of a connection."""
    world = own_lab(options=["--trusted-proxies", "127.0.0.1", "--request-timeout", "1s"])
    proxy, client = (Http(world, request("GET", POLLING), source=source)
                     for source in ("127.0.0.1", "127.0.0.2"))
    assert (proxy.status(), client.status()) == (200, 200)
    assert client.rest() == b"", "this one has waited long enough"
    assert proxy.send(request("GET", POLLING)).status() == 200
    proxy.close()
