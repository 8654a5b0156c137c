"""Each row of the table of tokens: what the client is told, when it is closed, and that a refused
one is nobody.

All wrong tokens of a lab are presented at the same time, each from an address of its own (gallery),
since each must wait for its end; the tests then look at what was seen.
"""
import json
import os
import signal
import time
import types

import pytest

from clients import Python, Raw
from lablib.facts import wait_for
from forge import Forge, decode, rsa_key

HONEST, WATCHER = 1, 15  # a node and a user of global scope, with good tokens
NODE, USER = 3, 13
NODE_GRACE, USER_GRACE, REFUSED_GRACE = 2, 4, 2
OPTIONS = ["--client-types", f"node={NODE_GRACE}s user={USER_GRACE}s", "--refused-grace",
           f"{REFUSED_GRACE}s", "--keys-interval", "1h", "--log-level", "debug"]
UNTOUCHED = ("before", "2000-01-01")

# What HQ gives to algorithm containers: v5 {"sub": this} alone, by a secret of its own; v4 as the
# identity.
CONTAINER = {"vantage6_client_type": "container", "client_type": "container", "node_id": NODE,
             "organization_id": 3, "collaboration_id": 1, "study_id": None, "store_id": None,
             "session_id": 1, "task_id": 1, "image": "hello", "databases": []}
HS256 = {"alg": "HS256", "typ": "JWT"}

INVALID, EXPIRED = [["invalid_token"]], [["expired_token"]]
# name: (principal, token, what it is told, seconds until it is closed)
ROWS = {
    "expired node": (NODE, lambda f: f.good(NODE, ttl=-120), EXPIRED, NODE_GRACE),
    "expired user": (USER, lambda f: f.good(USER, ttl=-120), EXPIRED, USER_GRACE),
    "bad signature": (NODE, lambda f: f.good(NODE, forged=True), INVALID, REFUSED_GRACE),
    "bad signature of a user": (USER, lambda f: f.good(USER, forged=True), INVALID, REFUSED_GRACE),
    "bad signature and expired": (NODE, lambda f: f.good(NODE, ttl=-120, forged=True), INVALID,
                                  REFUSED_GRACE),
    "absent": (NODE, lambda f: "", [], REFUSED_GRACE),
    "no token at all in it": (NODE, lambda f: f.keep("secret-word"), [], REFUSED_GRACE),
    "two parts": (NODE, lambda f: f.keep(f.good(NODE).rpartition(".")[0]), [], REFUSED_GRACE),
    "four parts": (NODE, lambda f: f.keep(f.good(NODE) + ".more"), [], REFUSED_GRACE),
    "alg none": (NODE, lambda f: f.other(NODE, {"alg": "none"}), [], REFUSED_GRACE),
    "alg None with the signature": (NODE, lambda f: f.keep(
        f.other(NODE, {"alg": "None"}) + f.good(NODE).split(".")[2]), [], REFUSED_GRACE),
    "not yet valid": (NODE, lambda f: f.other(NODE, claims={"nbf": int(time.time()) + 1000}), [],
                      REFUSED_GRACE),
    "never ends": (NODE, lambda f: f.other(NODE, claims={"exp": None}), [], REFUSED_GRACE),
}
ROWS_OF = {"v5": {
    "unknown kid": (NODE, lambda f: f.other(NODE, {"kid": "another"}), INVALID, REFUSED_GRACE),
    "wrong algorithm for the kid": (NODE, lambda f: f.other(NODE, {"alg": "RS384"}), INVALID,
                                    REFUSED_GRACE),
    "HS256 by the public key": (NODE, lambda f: f.other(NODE, {"alg": "HS256"}, key=public_key(f)),
                                INVALID, REFUSED_GRACE),
    "unknown subject": (NODE, lambda f: f.other(
        NODE, claims={"sub": "00000000-0000-4000-8000-000000000099"}), [], REFUSED_GRACE),
    "subject of the other version": (NODE, lambda f: f.other(NODE, claims={"sub": NODE}), [],
                                     REFUSED_GRACE),
    "container": (NODE, lambda f: f.whole(HS256, {"sub": CONTAINER}, key=f.secret()), [],
                  REFUSED_GRACE),
    "container by the key of the realm": (NODE, lambda f: f.other(
        NODE, claims={"vantage6_client_type": "container"}), [], REFUSED_GRACE),
    "refresh": (USER, lambda f: f.whole(
        {"alg": "HS512", "typ": "JWT", "kid": "43a5c7d2-0b1e-4a52-9ad6-6e0f1d2c3b4a"}, {
            **claims_of(f, USER), "typ": "Refresh", "vantage6_client_type": None}, key=f.secret()),
                [], REFUSED_GRACE),
    "refresh by the key of access tokens": (
        NODE, lambda f: f.other(NODE, claims={"typ": "Refresh"}), [], REFUSED_GRACE),
    "identity": (USER, lambda f: f.other(USER, claims={"typ": "ID"}), [], REFUSED_GRACE),
}, "v4": {
    "wrong algorithm": (NODE, lambda f: f.other(NODE, {"alg": "HS384"}), INVALID, REFUSED_GRACE),
    "RS256 by some key": (NODE, lambda f: f.other(NODE, {"alg": "RS256"}, key=some_key(f)), INVALID,
                          REFUSED_GRACE),
    "unknown subject": (NODE, lambda f: f.other(NODE, claims={"sub": 99}), [], REFUSED_GRACE),
    "container, which never ends": (NODE, lambda f: f.other(NODE, claims={
        "client_type": "container", "sub": CONTAINER, "exp": None}), [], REFUSED_GRACE),
    "password reset": (USER, lambda f: f.other(
        USER, claims={"client_type": "container", "sub": {"id": str(USER)}}), [], REFUSED_GRACE),
    "refresh": (NODE, lambda f: f.other(NODE, claims={"type": "refresh", "fresh": None}), [],
                REFUSED_GRACE),
},}
CASES = [(hq, name) for hq in ("v5", "v4") for name in {**ROWS, **ROWS_OF[hq]}]


def public_key(forge):
    """The PEM that everybody may have, as a file."""
    path = f"{forge.keys}/public.pem"
    os.system(f"openssl rsa -in {forge.signer} -pubout -out {path} 2>/dev/null")
    return path


def claims_of(forge, ident):
    """Those of the good token."""
    return decode(forge.good(ident).split(".")[1])


def some_key(forge):
    """An RSA key that nobody trusts."""
    rsa_key(f"{forge.keys}/some.pem")
    return f"{forge.keys}/some.pem"


def principals(world):
    """status and last_seen of every principal."""
    return {ident: (status, str(seen)[:10]) for ident, status, seen in
            world.sql("SELECT id, status, last_seen FROM authenticatable")}


def present(world, number, ident, token):
    """Present a token: a client with a record of when what happened."""
    client = Raw(world, ident, token=token, source=f"127.0.1.{number}")
    case = types.SimpleNamespace(client=client, begun=time.monotonic(), ended=None)

    def watch():
        case.ended = case.ended or client.closed and time.monotonic()
        return case.ended
    case.watch = watch
    return case


@pytest.fixture(scope="module")
def labs(make_world):
    """labs(hq): a lab with short graces and its forge, made at first use."""
    made = {}

    def lab(hq):
        if hq not in made:
            world = make_world(hq=hq, options=OPTIONS)
            made[hq] = types.SimpleNamespace(world=world, forge=Forge(world), shown=None)
        return made[hq]

    yield lab
    for one in made.values():
        one.world.end()


def look_at_all(world, forge, rows):
    """Present every wrong token, try to receive and to do something with it, and see each to its
    end."""
    seen = types.SimpleNamespace(cases={})
    honest = Raw(world, HONEST, token=forge.good(HONEST))
    watcher = Raw(world, WATCHER, token=forge.good(WATCHER))
    world.joined(honest, watcher)
    world.sql("UPDATE authenticatable SET status = %s, last_seen = %s WHERE id NOT IN %s",
              *UNTOUCHED, (HONEST, WATCHER))
    tokens = {name: row[1](forge) for name, row in rows.items()}
    for number, name in enumerate(rows, 1):
        seen.cases[name] = present(world, number, rows[name][0], tokens[name])
    clients = [case.client for case in seen.cases.values()]
    for room in sorted(world.rooms(NODE) | world.rooms(USER)):
        world.emit("secret", room, room)
    world.settled(watcher)
    for client in clients:
        client.send('42/tasks,["ping"]')
        client.round_trip()
    world.sql("UPDATE authenticatable SET status = 'before' WHERE id = %s", HONEST)
    honest.send('42/tasks,["ping"]')
    wait_for(lambda: principals(world)[HONEST][0] == "online", "an honest ping to count")
    seen.leases = {ident for ident, in world.sql("SELECT principal_id FROM vantage6_events.lease",
                                                 user="postgres")}
    seen.principals = principals(world)
    ends = [case.watch for case in seen.cases.values()]
    wait_for(lambda: all([end() for end in ends]), "each wrong token to be closed")
    seen.messages = watcher.heard("message", "node-online", "node-offline")
    assert not honest.closed and not watcher.closed
    honest.close()
    watcher.close()
    return seen


@pytest.fixture
def gallery(labs):
    """gallery(hq): what was seen of the wrong tokens there."""
    def show(hq):
        lab = labs(hq)
        lab.shown = lab.shown or look_at_all(lab.world, lab.forge, {**ROWS, **ROWS_OF[hq]})
        return lab.shown
    return show


@pytest.mark.parametrize("hq, name", CASES,
                         ids=["-".join(case).replace(" ", "_") for case in CASES])
def test_a_wrong_token_is_told_so_hears_nothing_and_is_closed_after_the_grace(gallery, hq, name):
    _, _, told, grace = {**ROWS, **ROWS_OF[hq]}[name]
    case = gallery(hq).cases[name]
    assert case.client.events == told
    assert case.client.connects == 1, "CONNECT is answered"
    assert not any(packet.startswith(("41", "44"))
                   for packet in case.client.packets), "clients do not return after it"
    assert case.ended - case.begun >= grace - 0.1


def test_a_token_may_be_good_for_ever(v5, clients):
    them = [clients(Raw(v5, USER, token=v5.token(USER, ttl=ttl)))
            for ttl in (10 ** 10, 10 ** 13, 10 ** 14)]
    v5.joined(*them)


@pytest.mark.parametrize("hq", ["v5", "v4"])
def test_an_expired_user_stays_longer_than_an_expired_node(gallery, hq):
    cases = gallery(hq).cases
    assert cases["expired user"].ended > cases["expired node"].ended


@pytest.mark.parametrize("hq", ["v5", "v4"])
def test_refused_clients_have_no_effect_on_the_database(gallery, hq):
    seen = gallery(hq)
    assert seen.leases == {HONEST, WATCHER}
    assert all(state == UNTOUCHED for ident, state in seen.principals.items()
               if ident not in (HONEST, WATCHER))
    assert not [event for event in seen.messages if "n3_alpha_c" in str(event)
                or "u_org_role" in str(event)]


@pytest.mark.parametrize("hq", ["v5", "v4"])
def test_invalid_token_is_told_once_per_address(labs, clients, hq):
    world, forge = labs(hq).world, labs(hq).forge
    token = forge.good(NODE, forged=True)
    first, second = (clients(Raw(world, NODE, token=token, source="127.0.2.1")) for _ in range(2))
    other = clients(Raw(world, NODE, token=token, source="127.0.2.2"))
    for client in (first, second, other):
        client.round_trip()
    assert (first.events, second.events, other.events) == (INVALID, [], INVALID)


@pytest.mark.parametrize("hq", ["v5", "v4"])
def test_a_token_in_the_data_of_connect_counts_if_there_is_none_in_the_header(labs, clients, hq):
    world, forge = labs(hq).world, labs(hq).forge
    good = clients(Raw(world, NODE, token="", auth={"token": forge.good(NODE)}))
    expired = clients(Raw(world, USER, token="", auth={"token": forge.good(USER, ttl=-120)}))
    odd = clients(Raw(world, USER, token="", auth={"token": ["x"], "more": 1}))
    world.joined(good)
    assert good.wait("sync") == ["sync"]
    assert expired.wait("expired_token") == ["expired_token"]
    odd.round_trip()
    assert odd.events == []


@pytest.mark.parametrize("hq", ["v5", "v4"])
def test_a_client_with_a_good_token_outstays_every_grace(labs, clients, hq):
    """The real client, by polling and upgrade; its token expires while it is connected."""
    world, forge = labs(hq).world, labs(hq).forge
    client = clients(Python(world, NODE, token=forge.good(NODE, ttl=-8)))  # within the leeway
    refused = clients(Raw(world, USER, token=forge.good(USER, ttl=-120)))
    world.joined(client)
    refused.wait_closed()
    world.settled(client)
    assert client.connects == 1 and client.disconnects == 0


def write_keys(world, *keys):
    """Replace the key file as an operator does: whole."""
    path = f"{world.lab.dir}/keys/jwks.json"
    with open(path + ".new", "w", encoding="ascii") as file:
        json.dump({"keys": keys}, file)
    os.rename(path + ".new", path)


def test_new_keys_are_used_without_a_restart(labs, clients):
    world, forge = labs("v5").world, labs("v5").forge
    with open(f"{forge.keys}/jwks.json", encoding="ascii") as file:
        old = json.load(file)["keys"][0]
    new = rsa_key(f"{forge.keys}/new.pem")
    by_old = forge.good(USER)
    by_new = forge.other(NODE, {"kid": new["kid"]}, key=f"{forge.keys}/new.pem")
    write_keys(world, old, new)
    # Unknown keys make it look at the file, whose turn would come in an hour.
    first = clients(Raw(world, NODE, token=by_new))
    world.joined(first)
    assert first.heard() == []
    write_keys(world, new)
    os.kill(world.lab.daemon(0).pid(), signal.SIGHUP)
    wait_for(lambda: world.log().count(" keys read ") == 3, "the key set to be read again")
    gone = clients(Raw(world, USER, token=by_old, source="127.0.3.1"))
    assert gone.wait("invalid_token")
    with open(f"{forge.keys}/jwks.json", "w", encoding="ascii") as file:
        file.write('{"keys": [{"kid"')
    os.kill(world.lab.daemon(0).pid(), signal.SIGHUP)
    wait_for(lambda: "keys stay as they were" in world.log(), "the refusal of half a file")
    still = clients(Raw(world, NODE, token=by_new))
    world.joined(still)
    assert not first.closed
    write_keys(world, old)


def test_clients_that_come_before_the_keys_are_judged_when_they_arrive(own_lab, clients):
    world = own_lab(options=["--keys-interval", "100ms", "--refused-grace", "1s"])
    with open(f"{world.lab.dir}/keys/jwks.json", encoding="ascii") as file:
        key = json.load(file)["keys"][0]
    tokens = {NODE: world.token(NODE), USER: world.token(USER, forged=True)}
    world.lab.stop_pushd(0)
    write_keys(world)
    world.start(path="/livez")
    wait_for(lambda: "no usable key" in world.http("GET", "/readyz", admin=True)[2],
             "the reason in /readyz")
    assert world.http("GET", "/readyz", admin=True)[0] == 503
    good, other = (clients(Raw(world, ident, token=token)) for ident, token in tokens.items())
    none = clients(Raw(world, USER, token=""))
    none.wait_closed()  # longer than the grace of a token that cannot be judged
    for client in (good, other):
        client.round_trip()
        assert client.events == []
    assert world.metric("sockets_joined") == 0
    write_keys(world, key)
    assert good.wait("sync") and other.wait("invalid_token")
    world.joined(good)
    wait_for(world.ready, "/readyz")
    other.wait_closed()


@pytest.mark.parametrize("hq", ["v5", "v4"])
def test_no_part_of_a_token_is_in_the_log(labs, gallery, hq):
    gallery(hq)
    world, forge = labs(hq).world, labs(hq).forge
    log = world.log()
    assert "token refused" in log and len(forge.made) > 15
    for token in forge.made:
        parts = [part for part in token.split(".")[1:] if len(part) > 8] or [token]
        assert not [part for part in parts if part in log]
