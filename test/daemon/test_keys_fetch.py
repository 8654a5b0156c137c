"""Keys from an address: what is asked, what is accepted, and what is said when it does not come.

No database is there.
"""
import contextlib
import re
import signal
import socket
import subprocess
import time
import types

import pytest

from lablib.facts import wait_for
from keycloak import Authority, Keycloak, PATH, REALM
from lablib.process import free_ports
from lone_pushd import EX_CONFIG, KEYSETS, PUSHD, Pushd, ask


@pytest.fixture
def start(tmp_path):
    daemons = []

    def start_one(*options, **kwargs):
        daemons.append(Pushd(str(tmp_path), *options, **kwargs))
        return daemons[-1]
    yield start_one
    for daemon in daemons:
        daemon.end()


@pytest.fixture
def keycloak(tmp_path):
    servers = []

    def make(*args, keys=1, **kwargs):
        server = Keycloak(tmp_path, *args, **kwargs)
        server.keys = [server.new_key()[1] for _ in range(keys)]
        servers.append(server)
        return server
    yield make
    for server in servers:
        server.stop()


@pytest.fixture(scope="module")
def trust(tmp_path_factory):
    """The hospital's CA, another one, one that has expired, and contexts of servers."""
    folder = tmp_path_factory.mktemp("trust")
    ours, other = Authority(folder, "ours"), Authority(folder, "other")
    late = Authority(folder, "late", 0)
    return types.SimpleNamespace(
        ca=ours.file, other=other.file, ours=ours,
        late=late.file, by_late=late.certify("DNS:localhost"),
        local=ours.certify("DNS:localhost,IP:127.0.0.1"),
        address_only=ours.certify("IP:127.0.0.1"), wrong=ours.certify("DNS:iam.example.org"),
        wildcard=ours.certify("DNS:*.localhost,DNS:l*"), over=ours.certify("DNS:localhost", 0))


def fetched(daemon, usable=1):
    wait_for(lambda: daemon.reason() == "", f"keys, not {daemon.reason()}")
    assert daemon.metric("keys") == usable


# --- what is asked -------------------------------------------------------------------------------

def test_the_realm_of_a_keycloak(start, keycloak):
    server = keycloak(keys=2)
    daemon = start("--keycloak-url", f"http://127.0.0.1:{server.port}//", "--keycloak-realm", REALM)
    fetched(daemon, 2)
    path, headers = server.requests[0]
    assert path == PATH
    assert headers["Host"] == f"127.0.0.1:{server.port}"
    assert headers["User-Agent"].startswith("vantage6-pushd/") and headers["Connection"] == "close"
    assert "Authorization" not in headers and "Accept-Encoding" not in headers
    assert f"keys read from={server.url()} usable=2" in daemon.logged()


def test_the_variables_of_hqs_own_containers(start, keycloak):
    server = keycloak()
    fetched(start(KEYCLOAK_URL=f"http://127.0.0.1:{server.port}", KEYCLOAK_REALM=REALM))


def test_they_count_only_where_nothing_else_is_given(start, keycloak):
    server = keycloak()
    daemon = start("--jwks-url", server.url(), KEYCLOAK_URL="http://127.0.0.1:1",
                   KEYCLOAK_REALM="no realm at all/")
    fetched(daemon)
    assert ask("--keycloak-url", "http://h", "--check-config")[0] == EX_CONFIG
    one = subprocess.run([PUSHD, "--config", "/dev/null", "--print-config"], check=True,
                         capture_output=True, text=True,
                         env={"KEYCLOAK_URL": "http://h/auth", "KEYCLOAK_REALM": "r"}).stdout
    assert "keycloak_url = http://h/auth\n" in one and "keycloak_realm = r\n" in one
    two = subprocess.run([PUSHD, "--config", "/dev/null", "--print-config", "--keycloak-url",
                          "http://i", "--keycloak-realm", "s"], check=True, capture_output=True,
                         text=True,
                         env={"KEYCLOAK_URL": "http://h/auth", "KEYCLOAK_REALM": "r"}).stdout
    assert "keycloak_url = http://i\n" in two and "keycloak_realm = s\n" in two


def test_any_address_with_its_query_which_is_not_told(start, keycloak):
    server = keycloak()
    server.behaviour = lambda h: h.path != "/?key=Gr8Secret" or h.answer(
        200, {"keys": server.keys}) or True
    daemon = start("--jwks-url", f"http://localhost:{server.port}?key=Gr8Secret")
    fetched(daemon)
    assert server.requests[0][1]["Host"] == f"localhost:{server.port}"
    server.behaviour = lambda h: h.answer(500, {}) or True
    daemon.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "expected status 200, found 500" in daemon.logged(), "the failure")
    assert "Gr8Secret" not in daemon.logged()


@pytest.fixture
def etc(tmp_path):
    """etc(name, line...): before a command, these words have it see the lines as /etc/name."""
    def write(name, *lines):
        path = tmp_path / name
        path.write_text("".join(f"{line}\n" for line in lines))
        words = ["unshare", "-m", "sh", "-c", f'mount --bind "$0" /etc/{name} && exec "$@"',
                 str(path)]
        if subprocess.run([*words, "true"], check=False, capture_output=True).returncode:
            pytest.skip(f"expected to be allowed another /etc/{name} (root), found that not so")
        return words
    return write


def test_a_name_of_several_addresses_of_which_one_answers(start, keycloak, etc):
    words = etc("hosts", "127.0.0.2 iam", "127.0.0.3 iam", "127.0.0.4 iam")
    for number in (2, 3, 4):
        server = keycloak(host=f"127.0.0.{number}")
        fetched(start("--jwks-url", server.url("iam"), before=words))
    daemon = start("--jwks-url", "http://iam:1/certs", before=words)
    wait_for(lambda: "cannot connect to port 1: connection refused" in daemon.reason(),
             "the reason")


@contextlib.contextmanager
def deaf(port=0):
    """127.0.0.2 listens, but nobody accepts: its queue is full, so that a connection waits."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.2", port))
        listener.listen(0)
        for filler in (first, second):
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


def test_an_address_that_does_not_answer_leaves_time_for_the_next(start, keycloak, etc):
    server = keycloak(host="127.0.0.3")
    with deaf(server.port):
        daemon = start("--jwks-url", server.url("iam"), "--keys-timeout", "2s",
                       before=etc("hosts", "127.0.0.2 iam", "127.0.0.3 iam"))
        fetched(daemon)
        assert daemon.metric('keys_refreshes_total{result="failed"}') == 0


def test_a_name_server_that_does_not_answer_holds_up_nothing(start, etc):
    """A lookup takes 60 s. A daemon that waited for it would neither answer nor stop in time."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        try:
            mute.bind(("127.7.7.7", 53))
        except OSError as error:
            pytest.skip(f"expected to be allowed port 53 of 127.7.7.7, found {error}")
        daemon = start(
            "--jwks-url", "http://iam.example.org/", "--keys-timeout", "300ms",
            "--keys-refresh-interval", "100ms",
            before=etc("resolv.conf", "nameserver 127.7.7.7", "options timeout:30 attempts:2"))
        wait_for(lambda: daemon.metric('keys_refreshes_total{result="failed"}') >= 3, "attempts")
        assert daemon.reason().endswith("(300 ms): it was over while looking up the name")


def test_the_proxies_of_the_environment_are_not_used(start, keycloak, trust):
    names = [f"{scheme}_proxy" for scheme in ("http", "https", "all")]
    names += [name.upper() for name in names]
    for context in (None, trust.local):
        fetched(start("--jwks-url", keycloak(context).url(), "--jwks-ca-file", trust.ca,
                      **dict.fromkeys(names, "http://127.0.0.1:9")))


# --- https ---------------------------------------------------------------------------------------

def test_https_with_a_ca_of_ones_own(start, keycloak, trust):
    server = keycloak(trust.local)
    for host in ("localhost", "127.0.0.1"):
        fetched(start("--jwks-url", server.url(host), "--jwks-ca-file", trust.ca))


def test_https_by_the_systems_cas(start, keycloak, trust):
    server = keycloak(trust.local)
    fetched(start("--jwks-url", server.url("localhost"), SSL_CERT_FILE=trust.ca))


def test_the_name_is_sent_in_the_handshake_but_no_address(start, keycloak, trust):
    names, server = [], keycloak(trust.local)
    trust.local.sni_callback = lambda _, name, __: names.append(name)
    for host in ("localhost", "127.0.0.1"):
        fetched(start("--jwks-url", server.url(host), "--jwks-ca-file", trust.ca))
    trust.local.sni_callback = None
    assert names == ["localhost", None]


DATE = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ"
UNKNOWN = ("unable to get local issuer certificate: found CN=iam, issued by CN=ours: "
           "set jwks_ca_file to ")
OTHER_NAME = "hostname mismatch: expected one for localhost, found one for "
OTHER_ADDRESS = "IP address mismatch: expected one for 127.0.0.1, found one for "
OVER = "certificate has expired: that of "


@pytest.mark.parametrize("context, host, ca, reason", [
    ("local", "localhost", "", UNKNOWN),
    ("local", "localhost", "other", UNKNOWN),
    ("wrong", "localhost", "ca", OTHER_NAME + "DNS:iam.example.org: "),
    ("wildcard", "localhost", "ca", OTHER_NAME + r"DNS:\*.localhost, DNS:l\*: "),
    ("address_only", "localhost", "ca", OTHER_NAME + "IP Address:127.0.0.1: "),
    ("wrong", "127.0.0.1", "ca", OTHER_ADDRESS + "DNS:iam.example.org: "),
    ("over", "localhost", "ca", OVER + rf"the server \(CN=iam\) expired on {DATE}: renew it$"),
    ("by_late", "localhost", "late", OVER + rf"its CA \(CN=late\) expired on {DATE}: renew it, "),
], ids=["unknown", "another_ca", "another_name", "part_of_a_wildcard", "no_name", "another_address",
        "expired", "expired_ca"])
def test_a_certificate_that_is_not_right(start, keycloak, trust, context, host, ca, reason):
    server = keycloak(getattr(trust, context))
    options = ["--jwks-ca-file", getattr(trust, ca)] if ca else []
    daemon = start("--jwks-url", server.url(host), *options)
    text = (f"^no keys yet: GET {re.escape(server.url(host))}: "
            f"TLS: the certificate is not trusted: {reason}")
    wait_for(lambda: "TLS" in daemon.reason(), "the reason")
    assert re.search(text, daemon.reason(), re.IGNORECASE), daemon.reason()
    assert server.requests == [] and daemon.metric("keys") == 0


def test_plain_http_where_tls_is_expected_and_the_other_way_round(start, keycloak, trust):
    plain, tls = keycloak(), keycloak(trust.local)
    daemon = start("--jwks-url", plain.url().replace("http:", "https:"))
    wait_for(lambda: "TLS: wrong version number" in daemon.reason(), "the reason")
    daemon = start("--jwks-url", tls.url().replace("https:", "http:"))
    wait_for(lambda: re.search("the answer cannot be used|connection was lost", daemon.reason()),
             "the reason")


# --- what does not come --------------------------------------------------------------------------

def no_answer(h):
    h.close_connection = True
    return True


def half(h):
    h.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"keys\":")
    return no_answer(h)


def hang(h):
    time.sleep(4)
    return no_answer(h)


def drip(h):
    """A byte now and then: each is an answer in time, all together are not."""
    h.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
    for _ in range(40):
        h.wfile.write(b" ")
        time.sleep(0.1)
    return no_answer(h)


WRONG = {
    "status": (lambda h: h.answer(503, b"") or True, "expected status 200, found 503"),
    "created": (lambda h: h.answer(201, {"keys": []}) or True, "expected status 200, found 201"),
    "redirect": (
        lambda h: h.answer(302, b"", Location="https://h/login?x=Gr8Secret") or True,
        "found 302, a redirect to https://h/login: redirects are not followed, give the address"),
    "redirect_within": (lambda h: h.answer(307, b"", Location="/keys?x=Gr8Secret") or True,
                        "/keys: redirects are not followed, give the address"),
    "redirect_to_nowhere": (lambda h: h.answer(301, b"") or True, "expected status 200, found 301"),
    "not_json": (lambda h: h.answer(200, b"<html>") or True,
                 "expected a JSON Web Key Set, found text that is not JSON"),
    "other_json": (lambda h: h.answer(200, {"public_key": "x"})
                   or True, "expected a JSON Web Key Set"),
    "no_keys": (lambda h: h.answer(200, {"keys": []}) or True, "expected keys for RS256"),
    "nothing": (lambda h: h.answer(200, b"") or True, "expected a JSON Web Key Set"),
    "not_http": (lambda h: h.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n")
                 and no_answer(h), "expected HTTP/1.1, found"),
    "no_answer": (no_answer, "the connection ended without one"),
    "half": (half, "the connection ended before it was complete"),
    "large": (lambda h: h.answer(200, {"keys": [], "x": "x" * 2000}) or True, "it is too large"),
    "no_end": (lambda h: [h.wfile.write(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000)]
               and no_answer(h), "it is too large"),
    "hang": (hang, "no complete answer within keys_timeout (500 ms): "
             "it was over while waiting for the answer"),
    "drip": (drip, "no complete answer within keys_timeout (500 ms): "
             "it was over while reading the answer"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_answer_is_said_and_a_right_one_heals_it(start, keycloak, name):
    behaviour, reason = WRONG[name]
    server = keycloak()
    server.behaviour = behaviour
    daemon = start("--jwks-url", server.url(), "--keys-bytes", "2000", "--keys-timeout", "500ms",
                   "--keys-refresh-interval", "200ms")
    wait_for(lambda: daemon.metric('keys_refreshes_total{result="failed"}') >= 3,
             "several attempts")
    assert reason in daemon.reason()
    if name != "other_json":
        assert server.url() in daemon.reason()
    assert (daemon.logged().count("no keys yet") == daemon.logged().count(reason)
            == 1), "once a change"
    assert "Gr8Secret" not in daemon.logged() + daemon.reason()
    server.behaviour = None
    fetched(daemon)
    assert daemon.logged().count("keys read from") == 1


def test_the_phase_in_which_the_time_was_over(start):
    with deaf() as port, socket.create_server(("127.0.0.1", 0)) as mute:
        for url, phase in ((f"http://127.0.0.2:{port}/", "while connecting"),
                           (f"https://127.0.0.1:{mute.getsockname()[1]}/", "in the TLS handshake")):
            daemon = start("--jwks-url", url, "--keys-timeout", "500ms")
            wait_for(lambda: "keys_timeout" in daemon.reason(), "the end of the time")  # noqa: B023
            assert daemon.reason().endswith(f"(500 ms): it was over {phase}")


def test_nobody_listens_and_a_name_that_is_none(start):
    daemon = start("--jwks-url", "http://127.0.0.1:1/certs")
    wait_for(lambda: "GET http://127.0.0.1:1/certs: cannot connect to port 1: connection refused"
             in daemon.reason(), "it")
    daemon = start("--jwks-url", "http://no-such-host.invalid/certs")
    wait_for(lambda: "cannot look up the name no-such-host.invalid: " in daemon.reason(),
             "the reason")
    daemon = start("--jwks-url", f"http://{'a' * 70}.example/certs")
    wait_for(lambda: "cannot look up the name" in daemon.reason(), "the reason")


def test_a_server_that_comes_later(start, keycloak):
    port = free_ports(1)
    daemon = start("--jwks-url", f"http://127.0.0.1:{port}{PATH}", "--keys-refresh-interval",
                   "300ms")
    wait_for(lambda: "connection refused" in daemon.reason(), "the reason")
    keycloak(port=port)
    fetched(daemon)


def test_a_stop_in_the_middle_of_a_fetch(start, keycloak, trust):
    for context in (None, trust.local):
        server = keycloak(context)
        server.behaviour = hang
        daemon = start("--jwks-url", server.url("localhost"), "--jwks-ca-file", trust.ca)
        wait_for(lambda: server.requests, "the request")  # noqa: B023
        daemon.process.send_signal(signal.SIGTERM)
        assert daemon.process.wait(3) == 0


# --- old keys stay -------------------------------------------------------------------------------

def test_old_keys_stay_whatever_happens_and_age(start, keycloak):
    server = keycloak(keys=2)
    daemon = start("--jwks-url", server.url(), "--keys-max-age", "1s", "--keys-refresh-interval",
                   "200ms", "--keys-timeout", "500ms", "--keys-bytes", "5000")
    fetched(daemon, 2)
    wait_for(lambda: len(server.requests) >= 3, "it to be asked again by age")
    assert daemon.logged().count("keys read") == 1, "nothing has changed"
    assert daemon.metric('keys_refreshes_total{result="good"}') >= 2
    for number, name in enumerate(("status", "not_json", "half", "hang", "redirect"), 1):
        server.behaviour, reason = WRONG[name]
        wait_for(lambda: "keys stay as they were: " in daemon.logged()
                 and reason in daemon.logged(), name)
        assert daemon.reason() == "" and daemon.metric("keys") == 2
        assert daemon.logged().count("keys stay as they were") == number
    wait_for(lambda: daemon.metric("keys_age_seconds") > 1.5, "the keys to age")
    server.behaviour = None
    wait_for(lambda: daemon.logged().count("keys read") == 2, "the word that it is well again")
    assert daemon.metric("keys_age_seconds") < 1.5
    server.keys.pop()
    wait_for(lambda: daemon.metric("keys") == 1, "the change")
    server.keys.clear()
    wait_for(lambda: "expected keys for RS256 ES256 EdDSA HS256, found none" in daemon.logged(),
             "a realm without keys")
    assert daemon.reason() == "" and daemon.metric("keys") == 1


def test_sighup_fetches_at_once(start, keycloak):
    server = keycloak()
    daemon = start("--jwks-url", server.url(), "--keys-refresh-interval", "1h")
    fetched(daemon)
    server.keys.append(server.new_key()[1])
    for usable in (2, 3):
        daemon.process.send_signal(signal.SIGHUP)
        wait_for(lambda: daemon.metric("keys") == usable, "the new key")  # noqa: B023
        server.keys.append(server.new_key()[1])


def test_keys_of_other_algorithms_are_left_out(start, keycloak):
    server = keycloak()
    server.behaviour = lambda h: h.answer(200, KEYSETS["several"].encode()) or True
    fetched(start("--jwks-url", server.url(), "--algorithms", "ES256, EdDSA"), 2)
    daemon = start("--jwks-url", server.url(), "--algorithms", "ES256")
    fetched(daemon)
    daemon = start("--jwks-url", keycloak().url(), "--algorithms", "ES256")
    wait_for(lambda: "expected keys for ES256, found none of them" in daemon.reason(), "the reason")


# --- before it starts ----------------------------------------------------------------------------

def test_a_ca_file_that_is_none_ends_it_with_78(tmp_path):
    empty, keys, port = tmp_path / "empty", tmp_path / "keys", free_ports(2)
    empty.write_text("no certificate")
    keys.write_text(KEYSETS["one"])
    listen = ["--max-connections", "100", "--listen", f"127.0.0.1:{port}",
              "--admin-listen", f"127.0.0.1:{port + 1}"]
    for source in (["--jwks-url", "https://127.0.0.1:1/"], ["--jwks-file", str(keys)]):
        for path, found in ((empty, "no certificate or crl found"),
                            (tmp_path / "none", "No such file or directory"),
                            (tmp_path, "Is a directory")):
            for check in ([], ["--check-config"]):
                status, output = ask(*listen, *source, "--jwks-ca-file", str(path), *check)
                assert (status, output.count("\n")) == (EX_CONFIG, 1), output
                assert f"expected certificates (PEM) in {path}, found: {found}: " in output


def test_check_config_fetches_nothing(keycloak, trust):
    server = keycloak()
    status, output = ask("--jwks-url", server.url(), "--jwks-ca-file", trust.ca, "--check-config")
    assert status == 0 and "configuration ok\n" in output
    assert server.requests == []
