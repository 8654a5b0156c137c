"""What strangers have the daemon log: bounded by client_log_rate, and never waited for."""
import os
import re
import signal
import subprocess
from types import SimpleNamespace

import pytest

from lablib.facts import wait_for
from lone_pushd import KEYSETS, PUSHD, Pushd, free_addresses
from rawlib.blocking import Http
from rawlib.wire import request

FLOOD = 1500
BAD = "Authorization: Bearer e30.e30.AAAA"
OPEN = "/socket.io/?EIO=4&transport=polling"


def port_of(addresses, option):
    return "127.0.0.1", int(addresses[addresses.index(option) + 1].rpartition(":")[2])


def flood(address):
    """So many handshakes with a bad token, each of which is accepted."""
    stranger = Http(SimpleNamespace(address=address))
    for _ in range(FLOOD):
        assert stranger.request("GET", OPEN, headers=[BAD]).status == 200
    stranger.close()


@pytest.fixture
def keys(tmp_path):
    path = tmp_path / "keys.json"
    path.write_text(KEYSETS["one"])
    return ["--jwks-file", str(path), "--handshake-rate", "0"]


def test_refused_tokens_are_logged_at_client_log_rate_and_the_rest_is_counted(tmp_path, keys):
    addresses = free_addresses()
    daemon = Pushd(str(tmp_path), *keys, *addresses, "--max-connections", "100000")
    daemon.address = port_of(addresses, "--admin-listen")
    flood(port_of(addresses, "--listen"))
    wait_for(lambda: "more were not logged" in daemon.logged(), "the number of the others")
    lines = daemon.logged().count("token refused")
    more = sum(int(n) for n in re.findall(r"(\d+) more were not logged", daemon.logged()))
    assert lines < FLOOD / 10
    assert 0 < more <= FLOOD - lines
    counted = daemon.metric('log_lines_left_out_total{reason="client_log_rate"}')
    assert lines + counted == FLOOD
    daemon.end()


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_log_pipe_that_nobody_reads_stops_nothing(keys, form):
    addresses = free_addresses()
    admin = SimpleNamespace(address=port_of(addresses, "--admin-listen"))
    reader, writer = os.pipe()
    with subprocess.Popen(
            [PUSHD, "--config", "/dev/null", "--max-connections", "100000", *addresses, *keys,
             "--conninfo", "host=/nonexistent", "--log-level", "debug", "--log-format", form,
             "--client-log-rate", "10000"], stderr=writer, stdin=subprocess.DEVNULL) as process:
        wait_for(lambda: b"listening" in os.read(reader, 65536), "the daemon to listen")
        flood(port_of(addresses, "--listen"))
        metrics = Http(admin, request("GET", "/metrics")).answer().text
        lost = int(re.search(r'left_out_total\{reason="unread"\} (\d+)', metrics).group(1))
        assert lost > 0
        assert os.get_blocking(writer), "the flag is of the daemon's own open file"
        os.close(writer)
        log = os.read(reader, 1 << 20)
        while b"since nobody read the log" not in log:
            log += os.read(reader, 1 << 20)
        process.send_signal(signal.SIGTERM)
        while more := os.read(reader, 1 << 20):
            log += more
        assert process.wait(30) == 0
    os.close(reader)
    told = sum(int(n) for n in re.findall(rb"nobody read the log n=(\d+)", log))
    assert told >= lost
    begins = b"20" if form == "text" else b'{"time":"20'
    assert log.endswith(b"\n")
    assert all(line.startswith(begins) for line in log.splitlines()[1:])
