"""Whatever is wrong before it starts: one line that says what was expected, what was found and what
to do; 78.

See also test_alone.py.
"""
import os
import re
import socket
import subprocess

import pytest

from lone_pushd import EX_CONFIG, KEYSETS, PUSHD, free_addresses

SECRET = "Gr8Secret"  # noqa: S105; stands in every place that may hold one, and in no message
# Limits of files are another matter, and said in another line.
PLAIN = ["--max-connections", "100"]


@pytest.fixture
def run(tmp_path):
    """run(*options, ini=text, **environment): (status, stdout, stderr) of pushd, which must not go
    on to serve."""
    keys = tmp_path / "keys.json"
    keys.write_text(KEYSETS["one"])

    def run_it(*options, ini="", **environment):
        path = tmp_path / "pushd.ini"
        path.write_text(ini)
        clean = {name: value for name, value in os.environ.items()
                 if not name.startswith(("PG", "VANTAGE6_PUSHD_"))}
        done = subprocess.run([PUSHD, "--config", str(path), *options], capture_output=True,
                              text=True, check=False, timeout=60, stdin=subprocess.DEVNULL,
                              env={**clean, **environment})
        return done.returncode, done.stdout, done.stderr

    run_it.keys = ["--jwks-file", str(keys)]
    run_it.ini = str(tmp_path / "pushd.ini")
    run_it.folder = tmp_path
    return run_it


@pytest.fixture
def free():
    """Options to listen where nobody does, for what is found wrong after that."""
    return free_addresses()


def one_line(answer, *parts):
    """It ended with 78, and one line that holds these parts and no secret."""
    status, out, err = answer
    assert status == EX_CONFIG, answer
    assert out == "" and err.count("\n") == 1 and err.endswith("\n"), answer
    assert SECRET not in err
    assert re.search("expected|cannot", err), f"not what was expected: {err}"
    for part in parts:
        assert part in err, answer


WRONG = {
    "listen": ["localhost:80", "127.0.0.1", ":80", "127.0.0.1:99999", "[::1:80", "1.2.3:80",
               "127.0.0.1:-1"],
    "admin-listen": ["7603", "127.0.0.1:x"],
    "path": ["socket.io/", "/socket.io", "//", "/a b/", "/a?b/"],
    "cors-allowed-origins": ["portal.example.org", "https://portal.example.org/ui",
                             "* https://a.example"],
    "max-connections": ["0", "-1", "1.5", "many", "99999999999999999999", "0x10"],
    "namespaces": ["", "tasks", "/tasks /tasks", "/a/b", "/" + "x" * 64, "/täsks"],
    "ping-interval": ["25 s", "0", "-1s", "1d", "99h", "s"],
    "ping-timeout": ["1ms"],
    "connect-timeout": ["11min"],
    "max-payload": ["1", "1GB", "1 MB", "1mb"],
    "queue-bytes": ["1"],
    "client-types": ["node", "node=", "=1s", "node=soon", ""],
    "client-type-claims": ["", " "],
    "expired-event": ["", "two words", 'quo"te'],
    "leeway": ["6min"],
    "keys-interval": ["0"],
    "jwks-url": ["iam.example.org/certs", "ftp://iam.example.org/certs", "https://",
                 f"https://u:{SECRET}@h/c", "http://h:0/c", "http://h:65536/", "http://h/a b",
                 "http://h/a#b", "http://[::1/c", "http://::1/c", "http://h:80x/c"],
    "keycloak-url": ["iam.example.org", "https://iam.example.org/?realm=x", f"https://{SECRET}@h"],
    "keycloak-realm": ["a/b", "a b", "a?b", "x" * 257],
    "algorithms": ["", " ", "none", "RS256 none", "RS384", "rs256", "RS256;ES256"],
    "token-expiry": ["", "end", "KEEP"],
    "keys-max-age": ["0", "25h"],
    "keys-refresh-interval": ["0", "2h"],
    "keys-timeout": ["0", "2min"],
    "keys-bytes": ["1", "1GB"],
    "beat-interval": ["1min"],
    "instance": ["two words", "x" * 129, "ä"],
    "read-rows": ["0"],
    "log-level": ["loud", "INFO", "inf", ""],
    "log-format": ["xml"],
    "issuer": ["line\nfeed", "x" * 1025],
}


@pytest.mark.parametrize("option", WRONG)
def test_a_wrong_value_by_flag_file_and_environment(run, option):
    for value in WRONG[option]:
        one_line(run(*run.keys, f"--{option}", value), f"--{option}: expected ")
        if "\n" not in value:
            name = option.replace("-", "_")
            one_line(run(*run.keys, ini=f"# comment\n\n {name} = {value}\n"),
                     f"{run.ini}:3: expected ")
            variable = "VANTAGE6_PUSHD_" + name.upper()
            one_line(run(*run.keys, **{variable: value}), f"{variable}: expected ")


@pytest.mark.parametrize("ini, parts", {
    f"pasword = {SECRET}": ["did you mean", "pushd.ini:1"],
    f"[section]\nconninfo = password={SECRET}": ["a section", ":1"],
    f"conninfo {SECRET}": ["no =", ":1"],
    "leeway = 1s\nleeway = 2s": [":2", "once"],
    "Leeway = 1s": ["did you mean \"leeway\""],
    "max-payload = 1MB": ["did you mean \"max_payload\""],
}.items(), ids=["unknown", "section", "no_equals", "twice", "capitals", "hyphen"])
def test_a_wrong_file(run, ini, parts):
    one_line(run(*run.keys, ini=ini), *parts)


def test_a_file_that_is_not_there_and_one_that_is_no_file(run):
    one_line(run("--config", str(run.folder / "none"), *run.keys), "No such file")
    one_line(run("--config", str(run.folder), *run.keys), "directory")


def test_wrong_words_on_the_command_line(run):
    one_line(run("--nope", "1"), "--nope: expected an option", "did you mean --")
    one_line(run("--jwks_file", "x"), "did you mean --jwks-file")
    one_line(run("stray"), 'found the argument "stray"')
    one_line(run("--listen"), "--listen: expected a value")
    one_line(run(f"--conninf=password={SECRET}"), "did you mean --conninfo")
    one_line(run(VANTAGE6_PUSHD_LISTENS="x", VANTAGE6_PUSHD_PORT="tcp://1.2.3.4"),
             "did you mean VANTAGE6_PUSHD_LISTEN?")


def test_flags_win_over_the_environment_and_that_over_the_file(run):
    ini, variables = "leeway = 1s\nissuer = file\naudience = file", {
        "VANTAGE6_PUSHD_LEEWAY": "2s",
        "VANTAGE6_PUSHD_ISSUER": "environment"}
    status, out, err = run("--leeway", "3s", "--print-config", ini=ini, **variables)
    assert (status, err) == (0, "")
    assert {"leeway = 3s", "issuer = environment", "audience = file"} <= set(out.splitlines())


def test_the_two_sources_of_keys(run, free):
    secret = run.folder / "secret"
    secret.write_text(SECRET * 4)
    one_line(run(), "found none", "--jwks-url", "--jwks-file", "--jwt-secret-file")
    one_line(run(*run.keys, "--jwt-secret-file", str(secret)), "found several")
    secret.write_text(SECRET)
    one_line(run("--jwt-secret-file", str(secret), *PLAIN, *free), "jwt_secret_file",
             "at least 16 bytes, found 9")


@pytest.mark.parametrize("text, part", {
    "": "not JSON", "{": "not JSON", "[]": "found other JSON", '{"keys": {}}': "found other JSON",
    f'{{"keys": [], "keys": ["{SECRET}"]}}': "not JSON", "\0": "not JSON",
}.items(), ids=["empty", "half", "list", "object", "twice", "nul"])
def test_a_wrong_key_set(run, free, text, part):
    keys = run.folder / "bad.json"
    keys.write_text(text)
    for more in ([], ["--check-config"]):
        one_line(run("--jwks-file", str(keys), *PLAIN, *free, *more),
                 f"jwks_file: in {keys}: expected a JSON Web Key Set", part)


@pytest.mark.parametrize(
    "conninfo", [f"host=x pasword={SECRET}", f"password='{SECRET}", f"host=x {SECRET} password=y",
                 f"postgresql://u:{SECRET}@[::1/hq", f"postgresql://u:{SECRET}@h/hq?nope=1"],
    ids=["unknown_word", "open_quote", "no_equals", "bad_uri", "unknown_parameter"])
def test_a_wrong_conninfo(run, free, conninfo):
    for more in ([], ["--check-config"]):
        one_line(run(*run.keys, *PLAIN, *free, "--conninfo", conninfo, *more), "conninfo: expected",
                 "correct")


def test_a_port_in_use(run, free):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        good = [*free, *PLAIN, *run.keys]
        one_line(run(*good, "--listen", address), address, "--listen")
        one_line(run(*good, "--admin-listen", address), address, "admin_listen")
        one_line(run(*good, "--admin-listen", "192.0.2.1:1"), "192.0.2.1", "admin_listen")
    one_line(run("--listen", address, "--admin-listen", address, *run.keys), address)


def test_check_config_says_ok_and_serves_nothing(run):
    assert run(*run.keys, "--audience", "x", "--check-config", "--conninfo",
               f"password={SECRET}") == (0, "configuration ok\n", "")


MASKED = {
    "": "",
    "host=h password={} user=u": "user=u password=*** host=h",
    "password = '{} \\' {}'user=u": "user=u password=***",
    "password={}\\ {} user=u": "user=u password=***",
    "password=": "password=***",
    "sslpassword={} user='a b'": "user='a b' sslpassword=***",
    "user='o''": "***",
    "user='o\\'x\\\\y' dbname=''": "user='o\\'x\\\\y' dbname=''",
    "passfile=/etc/pgpass service=hq": "service=hq passfile=/etc/pgpass",
    "host=h password='{}": "***",
    "host=h {}": "***",
    "host=h password=x {}": "***",
    "host=h pasword={}": "***",
    "PASSWORD={}": "***",
    "{}": "***",
    "postgresql://u@h/hq": "user=u dbname=hq host=h",
    "postgresql://h1:1,[::1]:2/hq": "dbname=hq host=h1,::1 port=1,2",
    "postgresql://u:{}@h/hq?application_name=x":
        "user=u password=*** dbname=hq host=h application_name=x",
    "postgres://:{}@h": "password=*** host=h",
    "postgresql://u:{}@h1,h2/hq?sslpassword={}": (
        "user=u password=*** dbname=hq host=h1,h2 port=, sslpassword=***"),
    "postgresql://h/hq?password={}&user=u": "user=u password=*** dbname=hq host=h",
    "postgresql://h/hq?%70assword={}": "password=*** dbname=hq host=h",
    "postgresql://h/hq?user=a:b&password=a%40{}": "user=a:b password=*** dbname=hq host=h",
    "postgresql://u%40d:{}@h": "user=u@d password=*** host=h",
    # libpq does not take all of these for the password.
    "postgresql://u:a@{}@h/hq": "***",
    "postgresql://u:a/{}@h/hq": "***",
    "postgresql://u:a?{}@h/hq": "***",
    "postgresql://h?password={}@a": "***",
    "postgresql://h:1?user=a@b&password={}": "***",
    "postgresql://u:{}@[::1/hq": "***",
    "postgresql://u:{}@h/hq?nope=1": "***",
    "postgresql://h/hq?password=a&{}": "***",
    "postgresql://h/hq?application_name=a%0Alisten": "***",
}


@pytest.mark.parametrize("conninfo", MASKED)
def test_print_config_masks_passwords(run, conninfo):
    status, out, err = run("--print-config", VANTAGE6_PUSHD_CONNINFO=conninfo.replace("{}", SECRET))
    assert (status, err) == (0, "") and SECRET not in out
    shown = re.search("^conninfo = ?(.*)$", out, re.MULTILINE).group(1)
    assert shown == MASKED[conninfo]
    assert run("--print-config", ini=out)[1] == out or shown == "***"


def test_what_print_config_prints_is_a_configuration_of_the_same_meaning(run):
    changed = ["--ping-interval", "1500ms", "--max-payload", "1234", "--queue-bytes", "2MB",
               "--namespaces", "/a /b", "--client-types", "node=90s user=2h", "--log-format",
               "json", "--log-level", "debug", "--issuer",
               "https://keycloak.example/realms/vantage6", "--cors-allowed-origins",
               "https://a.example https://b.example", "--conninfo",
               "host=/run/postgresql dbname=hq", "--instance", "one"]
    status, out, _ = run("--print-config", *run.keys, *changed)
    assert status == 0
    assert run("--print-config", ini=out) == (0, out, "")
    assert run("--check-config", ini=out)[0] == 0
    defaults = run("--print-config")[1]
    assert run("--print-config", ini=defaults)[1] == defaults
    assert len(defaults.splitlines()) == len(out.splitlines()) > 30


def test_version_and_help_answer_whatever_else_is_wrong(run):
    status, out, err = run("--version", "--listen", "nowhere", ini="nonsense")
    assert (status, err) == (0, "") and re.fullmatch(r"vantage6-pushd \d+\.\d+\.\d+\n", out)
    status, out, err = run("--help", ini="nonsense")
    assert (status, err) == (0, "")
    options = re.findall(r"^([a-z_]+) =", run("--print-config")[1], re.MULTILINE)
    assert all(re.search(rf"^  --{name.replace('_', '-')}\s", out, re.MULTILINE)
               for name in options)
    assert max(map(len, out.splitlines())) <= 80
