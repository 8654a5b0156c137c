"""The admin port and the log of a daemon that has clients. Without any: test_alone.py."""
import json
import re

import pytest

from clients import Python, Raw
from lablib.facts import wait_for
from forge import Forge
from openmetrics import SUFFIXES, families

def test_metrics_are_openmetrics_and_move(v5, clients):
    before = families(v5.http("GET", "/metrics", admin=True)[2])
    status, headers, _ = v5.http("GET", "/metrics", admin=True)
    assert status == 200
    assert headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert len(before) >= 20 and all(kind in SUFFIXES
                                     and samples for kind, samples in before.values())
    client, other = clients(Raw(v5, 1)), clients(Python(v5, 15))
    v5.joined(client, other)
    client.send('42/tasks,1["ping"]')
    wait_for(lambda: "43/tasks,1[]" in client.packets, "the acknowledgement")
    v5.emit("one", [], "node_1", "user_15")
    v5.settled(client, other)
    after = families(v5.http("GET", "/metrics", admin=True)[2])
    assert after.keys() == before.keys()

    def grown(name, labels=""):
        (key, value), = ((key, value) for key, value in after[f"vantage6_pushd_{name}"][1].items()
                         if key.endswith(labels))
        return value - before[f"vantage6_pushd_{name}"][1][key]
    assert (grown("sessions") == grown("sockets_joined") == grown("handshakes")
            == grown("tokens", '{verdict="good"}') == 2)
    assert grown("websockets") == 2 and grown("upgrades") == 1
    assert grown("received_events") == grown("acks") == 1
    assert grown("events") >= 4 and grown("deliveries") >= 6
    assert (grown("sent_bytes") > 100
            and after["vantage6_pushd_ready"][1]["vantage6_pushd_ready"] == 1)
    for name, (kind, samples) in after.items():
        if kind == "counter":
            assert all(value >= before[name][1][key] for key, value in samples.items()), name


def test_no_name_of_anybody_is_in_the_metrics(v5, clients):
    clients(Raw(v5, 3)), clients(Raw(v5, 13))
    client = clients(Raw(v5, 1))
    v5.joined(client)
    text = v5.http("GET", "/metrics", admin=True)[2]
    for word in ("n1_alpha_a", "u_org_role", "alpha", "collaboration_1", "node_1", "00000000-0000",
                 "eyJ", "127.0.0.1", v5.token(1)[:30]):
        assert word not in text


def test_livez_readyz_and_what_is_not_there(v5):
    assert v5.http("GET", "/livez", admin=True)[::2] == (200, "ok\n")
    assert v5.http("GET", "/readyz", admin=True)[::2] == (200, "ready\n")
    for path in ("/", "/livez/x", "/socket.io/?EIO=4&transport=polling", "/debug", "/Livez"):
        assert v5.http("GET", path, admin=True)[0] == 404, path
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        status, headers, _ = v5.http(method, "/readyz", admin=True)
        assert (status, headers["Allow"]) == (405, "GET, HEAD")
    assert v5.http("HEAD", "/metrics", admin=True)[::2] == (200, "")
    for path in ("/livez", "/readyz", "/metrics"):
        assert v5.http("GET", path)[0] == 404, "they are not on the public port"


@pytest.mark.parametrize("form", ["json", "text"])
def test_every_line_of_the_log_is_whole(own_lab, clients, form):
    world = own_lab(options=["--log-format", form, "--log-level", "debug"])
    forge = Forge(world)
    odd = 'quo"te\\ \n\x1b[31m Grüße'
    good = clients(Python(world, 1, token=forge.good(1)))
    bad = clients(Raw(world, 3, token=forge.good(3, forged=True)))
    world.joined(good)
    bad.wait("invalid_token")
    bad.send("42/tasks," + json.dumps([odd]) + "x")
    world.http("GET", "/socket.io/?EIO=4&transport=" + "%0a%1b", headers={"User-Agent": "x\x1by"})
    world.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'pushd'",
              user="postgres")
    wait_for(lambda: "57P01" in world.log()
             or "terminating" in world.log(), "word of the lost database")
    world.joined(good)
    good.close()
    world.lab.stop_pushd(0)
    lines = world.log().splitlines()
    assert len(lines) > 8
    for line in lines:
        if form == "json":
            fields = json.loads(line)
            assert (set(fields) == {"time", "level", "message"}
                    and fields["level"] in ("error", "warning", "info", "debug"))
            moment, message = fields["time"], fields["message"]
        else:
            moment, level, message = re.match(r"^(\S+) (ERROR|WARN |INFO |DEBUG) (.+)$",
                                              line).groups()
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", moment), line
        assert message.isprintable(), line
    assert not [token for token in forge.made if token.split(".")[1] in world.log()]
