"""test/lab from outside: its calls are kept stable, since demo, tests and operators use them."""
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import types
import urllib.request

import pytest

from lablib.facts import wait_for
from forge import decode
from lablib.process import free_ports, started

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
VARIABLES = {"LAB_URL", "LAB_URLS", "LAB_ADMIN_URL", "LAB_ADMIN_URLS", "LAB_DB", "LAB_SUPERUSER_DB",
             "LAB_PGDATA", "LAB_PGBIN", "LAB_HQ", "LAB_JWKS", "LAB_SECRET", "LAB_PIDS"}


def lab(*words, stdin=""):
    """Run test/lab: (status, stdout, stderr)."""
    done = subprocess.run([f"{TOP}/test/lab", *words], input=stdin, capture_output=True, text=True,
                          timeout=120, check=False)
    return done.returncode, done.stdout, done.stderr


def source(folder):
    """The variables of DIR/env as a shell reads them."""
    names = " ".join(sorted(VARIABLES))
    text = subprocess.run(
        ["/bin/sh", "-c",
         f'set -eu; . "$1"; for n in {names}; do eval "printf \'%s\\\\0\' \\"\\$$n\\""; done', "sh",
         f"{folder}/env"], capture_output=True, text=True, check=True).stdout
    return dict(zip(sorted(VARIABLES), text.split("\0")[:-1], strict=True))


def answers(url):
    """The status of a GET; 0 if nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            return response.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


@pytest.fixture
def folder():
    """A place for a lab; whatever runs there is ended."""
    path = tempfile.mkdtemp(prefix="vantage6-test.", dir="/tmp")
    os.chmod(path, 0o755)
    yield f"{path}/lab"
    lab("down", f"{path}/lab")
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def shared():
    """A lab of v5 with two instances, chosen ports and an option of pushd."""
    # A blank is as good as any character.
    path = tempfile.mkdtemp(prefix="vantage6 test.", dir="/tmp")
    os.chmod(path, 0o755)
    http, admin, pg = free_ports(2), free_ports(2), free_ports(1)
    said = lab("up", f"{path}/lab", "--hq", "v5", "--http", str(http), "--admin", str(admin),
               "--pg", str(pg), "--instances", "2", "--", "--log-level", "debug", "--config",
               "/dev/null")
    yield types.SimpleNamespace(dir=f"{path}/lab", said=said, http=http, admin=admin, pg=pg)
    lab("down", f"{path}/lab")
    shutil.rmtree(path)


def test_up_starts_everything_and_writes_env(shared):
    assert shared.said[0] == 0, shared.said
    env = source(shared.dir)
    assert env["LAB_URL"] == f"http://127.0.0.1:{shared.http}"
    assert env["LAB_URLS"] == f"http://127.0.0.1:{shared.http} http://127.0.0.1:{shared.http + 1}"
    assert env["LAB_ADMIN_URL"] == f"http://127.0.0.1:{shared.admin}"
    assert env["LAB_ADMIN_URLS"].split() == [f"http://127.0.0.1:{shared.admin + i}" for i in (0, 1)]
    assert env["LAB_HQ"] == "v5" and env["LAB_SECRET"] == "" and os.path.isfile(env["LAB_JWKS"])
    assert os.path.exists(f"{env['LAB_PGBIN']}/psql") and os.path.isdir(env["LAB_PGDATA"])
    assert (len(env["LAB_PIDS"].split()) == 2
            and all(started(int(pid)) for pid in env["LAB_PIDS"].split()))
    for url in env["LAB_ADMIN_URLS"].split():
        assert answers(f"{url}/readyz") == 200
    for name, user in (("LAB_DB", "hq"), ("LAB_SUPERUSER_DB", "postgres")):
        done = subprocess.run([f"{env['LAB_PGBIN']}/psql", "-XAtc",
                               "SELECT current_user, inet_server_port()", env[name]],
                              capture_output=True, text=True, check=True)
        assert done.stdout == f"{user}|\n" and f"port={shared.pg}" in env[name]
    for secret in ("env", "lab.json", "pgpass"):
        assert os.stat(f"{shared.dir}/{secret}").st_mode & 0o077 == 0


def test_options_after_the_dashes_come_last_and_win(shared):
    env = source(shared.dir)
    for pid in env["LAB_PIDS"].split():
        with open(f"/proc/{pid}/cmdline", encoding="utf-8") as file:
            words = file.read().split("\0")
        assert words[-5:-1] == ["--log-level", "debug", "--config", "/dev/null"]
        assert words.count("--config") == 2


def test_up_refuses_a_folder_in_use(shared):
    status, _, err = lab("up", shared.dir)
    assert status == 1 and err.count("\n") == 1 and "expected" in err and shared.dir in err


def test_up_says_why_it_is_not_ready_and_leaves_nothing_running(folder):
    status, _, err = lab("up", folder, "--", "--ping-interval", "soon")
    assert status == 1 and "status 78" in err and "ping-interval" in err
    with socket.create_server(("127.0.0.1", 0)) as taken:
        status, _, err = lab("up", f"{folder}2", "--http", str(taken.getsockname()[1]))
    assert status == 1 and "already in use" in err
    for path in (folder, f"{folder}2"):
        assert not [pid for pid in filter(str.isdigit, os.listdir("/proc"))
                    if path.encode() in cmdline(pid)]


def cmdline(pid):
    """The command line of a process, empty once it has ended."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read()
    except OSError:
        return b""


def test_tokens_are_as_that_hq_issues_them(shared):
    status, out, _ = lab("token", shared.dir, "1")
    assert status == 0 and re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+\n", out)
    header, claims = (decode(part) for part in out.strip().split(".")[:2])
    assert header["alg"] == "RS256" and header["kid"]
    assert (claims["sub"] == "00000000-0000-4000-8000-000000000001"
            and claims["vantage6_client_type"] == "node")
    assert 3590 < claims["exp"] - claims["iat"] <= 3600
    short = decode(lab("token", shared.dir, "11", "--ttl", "60")[1].split(".")[1])
    assert short["exp"] - decode(lab("token", shared.dir, "11",
                                     "--expired")[1].split(".")[1])["exp"] > 60
    assert short["vantage6_client_type"] == "user"
    forged = lab("token", shared.dir, "1", "--forged")[1].strip().split(".")
    assert decode(forged[0]) == header and decode(forged[1])["sub"] == claims["sub"]
    status, _, err = lab("token", shared.dir, "99")
    assert status == 1 and "expected the id of a principal" in err


def test_sql_is_one_psql_that_stops_at_errors(shared):
    assert lab("sql", shared.dir,
               stdin="SELECT 1, 'two'; SELECT current_user") == (0, "1|two\nhq\n", "")
    assert lab("sql", shared.dir, "--superuser", stdin="SELECT current_user")[1] == "postgres\n"
    status, out, err = lab("sql", shared.dir, stdin="SELECT 1;\nSELECT nope;\nSELECT 2;")
    assert status == 3 and out == "1\n" and "nope" in err


def test_pushd_stops_starts_and_is_killed(shared):
    env = source(shared.dir)
    first, second = map(int, env["LAB_PIDS"].split())
    assert lab("pushd", shared.dir, "0", "stop")[0] == 0
    assert not started(first) and started(second)
    assert source(shared.dir)["LAB_PIDS"] == str(second)
    assert lab("pushd", shared.dir, "0", "stop")[0] == 0, "stopped is stopped"
    assert answers(f"{env['LAB_ADMIN_URL']}/livez") == 0
    assert lab("pushd", shared.dir, "0", "start")[0] == 0
    assert answers(f"{env['LAB_ADMIN_URL']}/readyz") == 200
    again = int(source(shared.dir)["LAB_PIDS"].split()[0])
    assert lab("pushd", shared.dir, "0", "start")[0] == 0
    assert int(source(shared.dir)["LAB_PIDS"].split()[0]) == again
    assert lab("pushd", shared.dir, "0", "kill")[0] == 0 and not started(again)
    assert lab("pushd", shared.dir, "0", "start")[0] == 0
    assert lab("pushd", shared.dir, "7",
               "start")[::2] == (1, "test/lab pushd: expected an instance from 0 to 1, found 7\n")


@pytest.mark.parametrize("end", ["stop", "crash"])
def test_pg_goes_and_comes_back(shared, end):
    env = source(shared.dir)
    assert lab("pg", shared.dir, end)[0] == 0
    assert lab("sql", shared.dir, stdin="SELECT 1")[0] == 2
    wait_for(lambda: answers(f"{env['LAB_ADMIN_URL']}/readyz") == 503, "the daemon to notice")
    assert source(shared.dir)["LAB_PIDS"] == env["LAB_PIDS"]
    assert (lab("pushd", shared.dir, "1", "stop")[0] == 0
            and lab("pushd", shared.dir, "1", "start")[0] == 0), "alive is enough"
    assert lab("pg", shared.dir, "start")[0] == 0
    assert lab("sql", shared.dir, stdin="SELECT 1")[1] == "1\n"
    for url in env["LAB_ADMIN_URLS"].split():
        wait_for(lambda: answers(f"{url}/readyz") == 200, "the daemon to be back")  # noqa: B023


def test_pg_restarts(shared):
    uptime = "SELECT pg_postmaster_start_time()"
    before = lab("sql", shared.dir, stdin=uptime)[1]
    assert lab("pg", shared.dir, "restart")[0] == 0
    assert lab("sql", shared.dir, stdin=uptime)[1] not in ("", before)


def test_logs_prints_all_of_them_and_ends(shared):
    status, out, _ = lab("logs", shared.dir)
    assert status == 0
    names = re.findall("^== (.*) ==$", out, re.MULTILINE)
    assert names == ["pushd.0.log", "pushd.1.log", "postgres.log"]
    assert out.count("listening version=") >= 2 and "database system is ready" in out


def test_down_leaves_nothing_running_and_may_be_said_twice(folder):
    assert lab("down", folder) == (0, "", ""), "one that never was"
    status, out, err = lab("up", folder, "--hq", "v4")
    assert status == 0, err
    assert f"test/lab down {folder}" in out
    env = source(folder)
    assert env["LAB_HQ"] == "v4" and env["LAB_JWKS"] == "" and len(env["LAB_SECRET"]) >= 32
    header, claims = (decode(part) for part in lab("token", folder, "13")[1].split(".")[:2])
    assert header["alg"] == "HS256" and claims["sub"] == 13 and claims["client_type"] == "user"
    with open(f"{env['LAB_PGDATA']}/postmaster.pid", encoding="utf-8") as file:
        postmaster = int(file.readline())
    os.kill(int(env["LAB_PIDS"]), signal.SIGSTOP)  # even one that does not answer
    assert lab("down", folder)[0] == 0
    assert not started(postmaster) and not started(int(env["LAB_PIDS"]))
    assert lab("down", folder) == (0, "", "")
    assert "listening version=" in lab("logs", folder)[1], "the logs stay"
