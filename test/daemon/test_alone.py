"""vantage6-pushd by itself: its options, the key file and the admin port. No database is there."""
import os
import re
import select
import signal
import time
from email.utils import parsedate_to_datetime

import pytest

from lablib.facts import wait_for
from lablib.process import free_ports
from lone_pushd import EX_CONFIG, KEYSETS, Pushd, ask
from rawlib.blocking import Connection


def replace(path, text):
    """As an orderly writer does it: never half a file."""
    with open(f"{path}.new", "w", encoding="utf-8") as file:
        file.write(text)
    os.rename(f"{path}.new", path)


class Daemon(Pushd):
    """With a key file."""

    def __init__(self, folder, *options):
        self.keys = f"{folder}/keys.json"
        replace(self.keys, KEYSETS["one"])
        super().__init__(folder, "--jwks-file", self.keys, *options)


@pytest.fixture
def start(tmp_path):
    daemons = []

    def start_one(*options):
        daemons.append(Daemon(str(tmp_path), *options))
        return daemons[-1]
    yield start_one
    for daemon in daemons:
        daemon.end()


# --- options -------------------------------------------------------------------------------------

def test_a_wrong_option_or_key_file_ends_it_with_78_and_one_line(tmp_path):
    keys, secret = tmp_path / "keys", tmp_path / "secret"
    keys.write_text("no key set")
    secret.write_text("too short\n")
    cases = {
        (): "expected one of jwks_file, jwks_url, keycloak_url and jwt_secret_file, found none",
        ("--jwks-file", str(keys), "--ping-intervall", "1s"): "did you mean --ping-interval?",
        ("--jwks-file", str(tmp_path / "none")): "No such file or directory",
        ("--jwks-file", str(tmp_path)): "Is a directory",
        ("--jwks-file", "/dev/zero"): "found: no regular file",
        ("--jwks-file", str(keys)): "expected a JSON Web Key Set",
        ("--jwt-secret-file", str(secret)): "expected a secret of at least 16 bytes, found 9"}
    for options, message in cases.items():
        for check in ([], ["--check-config"]):
            # No word of file limits.
            status, output = ask("--max-connections", "100", *options, *check)
            assert (status, output.count("\n")) == (EX_CONFIG, 1) and message in output, output


def test_a_right_configuration_is_said_to_be_so(tmp_path):
    keys = tmp_path / "keys"
    keys.write_text(KEYSETS["several"])
    assert ask("--jwks-file", str(keys), "--check-config")[0] == 0


def test_the_secret_may_end_in_a_line_feed(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("0123456789abcdef\n")
    assert ask("--jwt-secret-file", str(secret), "--check-config")[0] == 0
    secret.write_text("0123456789abcde\n")
    assert "found 15" in ask("--jwt-secret-file", str(secret), "--check-config")[1]


def test_version_help_and_print_config_need_nothing():
    assert re.fullmatch(r"vantage6-pushd \d+\.\d+\.\d+\n", ask("--version")[1])
    assert "--ping-interval" in ask("-h")[1]
    status, output = ask("--print-config", "--conninfo", "user=u password=hunter2")
    assert status == 0 and "conninfo = user=u password=***" in output and "hunter2" not in output


def test_an_address_in_use_is_said(start):
    daemon = start()
    other = free_ports(1)
    status, output = ask("--jwks-file", daemon.keys, "--listen", f"127.0.0.1:{other}",
                         "--admin-listen", "{}:{}".format(*daemon.address))
    assert status == EX_CONFIG and "admin_listen" in output and "already in use" in output


# --- the key file --------------------------------------------------------------------------------

def test_a_bad_key_file_changes_nothing_and_is_said_once(start):
    daemon = start("--keys-interval", "100ms")
    replace(daemon.keys, "no key set")
    warning = "keys stay as they were"
    wait_for(lambda: daemon.logged().count(warning) == 1, "the warning")
    os.remove(daemon.keys)
    wait_for(lambda: daemon.logged().count(warning) == 2, "the second warning")
    assert daemon.raw(b"") == ""  # the daemon ends a silent visitor after 5 s: 50 looks at the file
    replace(daemon.keys, KEYSETS["several"])
    wait_for(lambda: "usable=3" in daemon.logged(), "the new keys")
    assert daemon.logged().count(warning) == 2
    assert "no usable key" not in daemon.get("/readyz").text


def test_a_key_set_without_usable_keys_is_not_ready(start):
    daemon = start("--keys-interval", "100ms")
    replace(daemon.keys, KEYSETS["none usable"])
    wait_for(lambda: f"no usable key in {daemon.keys}\n" in daemon.get("/readyz").text,
             "the reason")
    replace(daemon.keys, KEYSETS["one"])
    wait_for(lambda: "no usable key" not in daemon.get("/readyz").text, "the reason to go")


def test_sighup_has_the_key_file_read_at_once(start):
    daemon = start("--keys-interval", "1h")
    replace(daemon.keys, KEYSETS["same id"])
    daemon.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "usable=2" in daemon.logged(), "the new keys")


# --- the admin port ------------------------------------------------------------------------------

def test_livez_is_ok_and_readyz_says_why_not(start):
    daemon = start()
    assert daemon.get("/livez").said == (200, "ok\n")
    status, reasons = daemon.get("/readyz?verbose").said
    assert status == 503 and reasons.endswith("\n") and reasons.strip()


def test_metrics_are_openmetrics(start):
    daemon = start()
    answer = daemon.get("/metrics")
    assert answer.status == 200
    assert (answer.headers["content-type"]
            == "application/openmetrics-text; version=1.0.0; charset=utf-8")
    assert answer.text.endswith("\n# EOF\n") and "\nvantage6_pushd_ready 0\n" in answer.text
    head = daemon.raw(b"HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (head.startswith("HTTP/1.1 200 ") and "\r\nContent-Length: " in head
            and head.endswith("\r\n\r\n"))


def test_other_paths_methods_and_nonsense_are_refused(start):
    daemon = start()
    for path in ("/", "/livez/", "/" + "x" * 200):
        assert daemon.get(path).status == 404
    answer = daemon.get("/livez", "POST")
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")
    date = parsedate_to_datetime(answer.headers["date"]).timestamp()
    assert abs(date - time.time()) < 60
    for data, status in (
            (b"\x16\x03\x01", 400), (b"GET /livez\r\n\r\n", 400),
            (b"GET /livez HTTP/1.1\r\n\r\n", 400), (b"GET /livez HTTP/2.0\r\nHost: x\r\n\r\n", 505),
            (b"\r\nGET http://x/livez?y HTTP/1.0\r\n\r\n", 200),
            (b"GET /livez HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 20000, 431),
            (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
            (b"POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100000,
             405)):
        assert daemon.raw(data).startswith(f"HTTP/1.1 {status} "), data[:40]


def test_silent_visitors_are_few_and_leave(start):
    daemon = start()
    visitors = [Connection(daemon) for _ in range(40)]
    sockets = [visitor.sock for visitor in visitors]
    wait_for(lambda: len(select.select(sockets, [], [], 0)[0]) == 8, "those above 32 to be closed",
             deadline=4)
    for visitor in visitors:
        assert visitor.rest() == b""
        visitor.close()
    assert daemon.get("/livez").status == 200
