"""What a thousand connections without a good token make the daemon keep: a few kB each."""
import json
from base64 import urlsafe_b64encode
from types import SimpleNamespace

import pytest

import lone_pushd
from lablib.facts import wait_for
from lablib.lab import TOP
from rawlib.blocking import Connection, Http, WebSocket

CONNECTIONS, MESSAGE = 1000, 100_000
TWO = '452-/tasks,["x",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]'


def unknown_key():
    """A header with a token whose key nobody knows."""
    parts = [urlsafe_b64encode(text.encode()).rstrip(b"=").decode()
             for text in ('{"alg":"RS256","kid":"nobody"}', '{"sub":"x","exp":9e9}')]
    return f"Authorization: Bearer {'.'.join(parts)}.AAAA"


def sent(client, *packets):
    """Send these; the server may close while they are still on their way."""
    try:
        for packet in packets:
            if isinstance(packet, bytes):
                client.binary(packet)
            else:
                client.text(packet)
    except OSError:
        pass
    return client


NUMBERS = f'42/tasks,["x",[{",".join(["0.1"] * (MESSAGE // 4))}]]'
# kind: what one does, and the most kB of the table in doc/operate.md.
KINDS = {
    "nothing": (Connection, 2),
    "half_a_head": (lambda server: Connection(server, b"GET / HTTP/1.1\r\nX: " + b"x" * 15_000),
                    20),
    "session": (WebSocket, 4),
    "namespace": (lambda server: sent(WebSocket(server), "40/tasks,"), 4),
    "half_a_small_message": (lambda server: WebSocket(server).text("4" + "x" * 4000, final=False),
                             14),
    "half_a_large_message": (lambda server: sent(WebSocket(server), "40/tasks,").text(
        "4" + "x" * 15_000, final=False), 40),
    "half_a_message_too_large": (lambda server: WebSocket(server).text(
        "4" + "x" * 30_000, final=False), 24),
    "attachments": (lambda server: sent(WebSocket(server), TWO, b"x" * MESSAGE), 24),
    "small_attachments": (lambda server: sent(WebSocket(server), "40/tasks,", TWO, b"x" * 15_000),
                          24),
    "large_attachments": (lambda server: sent(WebSocket(server), "40/tasks,", TWO, b"x" * MESSAGE),
                          24),
    "small_event": (lambda server: sent(WebSocket(server, headers=[unknown_key()]), "40/tasks,",
                                        '42/tasks,["x","' + "x" * 15_000 + '"]'), 24),
    "large_event": (lambda server: sent(WebSocket(server, headers=[unknown_key()]), "40/tasks,",
                                        NUMBERS), 24),
}


class Pushd(lone_pushd.Pushd):
    """With keys, so that a token may name one that is not there."""

    def __init__(self, folder):
        keys = folder / "keys.json"
        keys.write_text(lone_pushd.KEYSETS["several"])
        listen = lone_pushd.free_addresses()
        super().__init__(str(folder), "--jwks-file", str(keys), "--max-connections", "5000",
                         "--handshake-rate", "0", "--keys-refresh-interval", "1h", *listen)
        self.clients, self.address = [("127.0.0.1", int(listen[at].rpartition(":")[2]))
                                      for at in (1, 3)]

    def memory(self):
        """Its RSS in bytes."""
        with open(f"/proc/{self.process.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * 4096


@pytest.fixture
def pushd(tmp_path, monkeypatch):
    # The memory of a sanitizer is not measured.
    monkeypatch.setattr(lone_pushd, "PUSHD", f"{TOP}/build/release/vantage6-pushd")
    daemon = Pushd(tmp_path)
    yield daemon
    daemon.end()


@pytest.mark.parametrize("kind", KINDS)
def test_a_stranger_is_kept_a_few_kilobytes_of(pushd, kind):
    come, most = KINDS[kind]
    server = SimpleNamespace(address=pushd.clients)
    before = pushd.memory()
    clients = [come(server) for _ in range(CONNECTIONS)]
    pushd.metric("connections")  # what was sent before has been read
    grown = (pushd.memory() - before) / CONNECTIONS / 1000
    assert grown < most, f"{grown:.1f} kB each"
    for client in clients:
        client.close()
    wait_for(lambda: pushd.metric("receiving_bytes") == 0, "nothing to be kept")


def test_a_stranger_posts_no_large_body_in_parts(pushd):
    client = Http(SimpleNamespace(address=pushd.clients))
    target = "/socket.io/?EIO=4&transport=polling"
    sid = json.loads(client.request("GET", target).text[1:])["sid"]
    client.send(f"POST {target}&sid={sid} HTTP/1.1\r\nHost: x\r\nContent-Length: 20000\r\n\r\n4x")
    assert client.answer().status == 503
    assert pushd.metric('refused_requests_total{reason="stranger_bytes"}') == 1
    assert pushd.metric("sessions") == 1
