"""What is valid but lets others in: a warning at start and in --check-config."""
import os

import pytest

from lone_pushd import KEYSETS, Pushd, ask

MEANT = ["--audience", "vantage6"]
URL = "s://iam.example.org/certs"
CASES = {
    "jwks_http": (["--jwks-url", "http://iam.example.org/certs", *MEANT],
                  "jwks_url: expected https, found http"),
    "jwks_http_in_capitals": (["--jwks-url", "HTTP://10.1.2.3/certs", *MEANT],
                              "jwks_url: expected https, found http"),
    "keycloak_http": (["--keycloak-url", "http://keycloak:8080", "--keycloak-realm", "r", *MEANT],
                      "keycloak_url: expected https, found http"),
    "no_audience": (["--jwks-url", "http" + URL], "audience: expected the audience"),
    "prefer": (["--conninfo", "host=db.example.org"], "found prefer"),
    "prefer_in_an_uri": (["--conninfo", "postgresql://u@10.0.0.5/hq"], "found prefer"),
    "allow": (["--conninfo", "host=db sslmode=allow"], "found allow"),
    "disable": (["--conninfo", "host=db sslmode=disable"], "found disable"),
    "one_of_two_hosts": (["--conninfo", "host=/run/postgresql,db"], "other host db, found prefer"),
    "a_name_like_an_address": (["--conninfo", "host=127.example.org"], "other host 127.example"),
    "hostaddr": (["--conninfo", "host=localhost hostaddr=192.0.2.7"], "other host 192.0.2.7"),
}
SAFE = {
    "socket": ["--conninfo", "dbname=hq"],
    "path": ["--conninfo", "host=/run/postgresql sslmode=disable"],
    "loopback": ["--conninfo", "host=localhost,127.0.0.2,::1"],
    "require": ["--conninfo", "host=db sslmode=require"],
    "verify": ["--conninfo", "postgresql://u@db/hq?sslmode=verify-full"],
    "https": ["--jwks-url", "http" + URL, *MEANT],
}


@pytest.fixture(autouse=True)
def plain(monkeypatch):
    """Nothing of the test's own database."""
    for name in [name for name in os.environ if name.startswith("PG")]:
        monkeypatch.delenv(name)


@pytest.fixture
def secret(tmp_path):
    path = tmp_path / "secret"
    path.write_text("a secret of the tests, 32 bytes.")
    path.chmod(0o640)
    return path


def warned(secret, options):
    """The warnings of --check-config, which are none of its errors."""
    given = any("jwks" in option or "url" in option for option in options)
    source = [] if given else ["--jwt-secret-file", secret]
    status, output = ask(*map(str, source), *options, "--check-config")
    assert status == 0, output
    lines = output.splitlines()
    lines.remove("configuration ok")
    assert all(line.startswith("vantage6-pushd: warning: ") for line in lines), output
    return lines


@pytest.mark.parametrize("options, message", CASES.values(), ids=CASES)
def test_it_is_one_warning(secret, options, message):
    lines = warned(secret, options)
    assert len(lines) == 1 and message in lines[0], lines


@pytest.mark.parametrize("options", SAFE.values(), ids=SAFE)
def test_what_is_safe_is_none(secret, options):
    assert warned(secret, options) == []


def test_the_environment_and_a_service_count(secret, monkeypatch, tmp_path):
    monkeypatch.setenv("PGHOST", "db.example.org")
    assert "other host db.example.org, found prefer" in warned(secret, [])[0]
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    assert warned(secret, []) == []
    (tmp_path / "services").write_text("[hq]\nhost=db\nsslmode=allow\n")
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
    assert "other host db, found allow" in warned(secret, ["--conninfo", "service=hq"])[0]


@pytest.mark.parametrize("mode, more", [(0o644, 1), (0o642, 1), (0o660, 0), (0o600, 0)])
def test_a_secret_that_others_can_read(secret, mode, more):
    secret.chmod(mode)
    lines = warned(secret, [])
    assert len(lines) == more
    assert not more or f"jwt_secret_file: expected a file that others can not read or change, " \
        f"found the mode {mode:04o} at {secret}" in lines[0]


def test_keys_that_others_can_change(tmp_path, secret):
    keys = tmp_path / "keys.json"
    keys.write_text(KEYSETS["one"])
    for mode, more in ((0o644, 0), (0o646, 1)):
        keys.chmod(mode)
        lines = warned(secret, ["--jwks-file", str(keys), *MEANT])
        assert len(lines) == more and all("jwks_file: expected" in line for line in lines)


def test_the_daemon_logs_them_at_start(tmp_path, secret):
    secret.chmod(0o604)
    daemon = Pushd(str(tmp_path), "--jwt-secret-file", str(secret), "--conninfo", "host=192.0.2.7")
    log = daemon.logged()
    for option in ("jwt_secret_file", "conninfo"):
        assert log.count(f"WARN  configuration: {option}: expected ") == 1, log
    daemon.end()
