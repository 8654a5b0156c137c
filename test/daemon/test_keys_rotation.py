"""A realm whose keys rotate: tokens by old and new keys, tokens that name keys which there are not,
and the lab around."""
import time
import types

import pytest

from clients import Node, Python, Raw
from crowds import Crowd
from lablib.facts import wait_for
from forge import Forge
from keycloak import Authority, Keycloak

NODE, USER, OTHER = 1, 13, 15
IDENTS = [1, 2, 3, 13, 14, 15]
INVALID = [["invalid_token"]]


class Realm:
    """A Keycloak, a lab whose pushd asks it, and tokens by its keys."""

    def __init__(self, folder, own_lab, *options, context=None):
        self.keycloak = Keycloak(folder, context)
        self.pairs = []  # (file, key), the newest last
        self.rotate()
        # The last word counts: none of the lab's own key file.
        self.world = own_lab(options=["--jwks-file", "", "--jwks-url",
                                      self.keycloak.url("localhost"), *options])
        self.forge = Forge(self.world)

    def rotate(self, keep=1):
        """A new key, beside the newest ones of the old."""
        self.pairs.append(self.keycloak.new_key())
        self.pairs = self.pairs[-1 - keep:]
        self.keycloak.keys = [key for _, key in self.pairs]

    def token(self, ident, age=0, pair=None, **claims):
        """By the newest key, or one that is older by so many rotations."""
        file, key = pair or self.pairs[-1 - age]
        return self.forge.other(ident, {"kid": key["kid"]}, claims, key=file)

    def bogus(self, ident):
        """By the newest key, but it names another."""
        return self.forge.other(ident, {"kid": "nobody"}, key=self.pairs[-1][0])

    def verdicts(self):
        return {verdict: self.world.metric("tokens", verdict=verdict)
                for verdict in ("good", "expired", "invalid", "refused")}


@pytest.fixture
def realm(tmp_path, own_lab):
    realms = []

    def make(*options, **kwargs):
        realms.append(Realm(tmp_path, own_lab, *options, **kwargs))
        return realms[-1]
    yield make
    for one in realms:
        one.keycloak.stop()


@pytest.fixture(scope="module")
def trust(tmp_path_factory):
    authority = Authority(tmp_path_factory.mktemp("trust"))
    return types.SimpleNamespace(ca=authority.file, context=authority.certify("DNS:localhost"))


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_rotation_under_load_refuses_no_valid_token(realm, trust, scheme):
    """Hundreds connect with tokens by the old and the new key, while a stranger's tokens use up
    what may be asked.

    The realm fails now and then, and is slow. Those whose key is not there yet wait for it; none is
    refused.
    """
    requests = iter(range(10 ** 6))

    def behave(handler):
        number = next(requests)
        if number % 3 == 1:
            handler.answer(503, b"")
        return number % 3 == 1

    at = realm("--keys-refresh-interval", "1s", "--keys-timeout", "5s", "--jwks-ca-file", trust.ca,
               "--max-connections", "1000", context=trust.context if scheme == "https" else None)
    world, batch, rounds = at.world, 60, 6
    at.keycloak.behaviour = behave
    crowd = Crowd(world, IDENTS)
    strangers = []
    try:
        for number in range(rounds):
            strangers.append(Raw(world, NODE, token=at.bogus(NODE), source=f"127.0.4.{number + 1}"))
            at.rotate()
            crowd.tokens = [at.token(ident, age) for ident in IDENTS for age in (0, 1)]
            crowd.open(batch)
            # The next rotation takes the older of the two keys away: its tokens must have been
            # judged.
            wait_for(lambda: world.metric("sockets_joined") == (number + 1) * batch, "all to join")
        for stranger in strangers:
            stranger.wait("invalid_token")
        facts = crowd.facts()
        assert at.verdicts() == {"good": rounds * batch, "expired": 0, "invalid": rounds,
                                 "refused": 0}
        assert (facts["open"], facts["ends"]) == (rounds * batch, 0)
        assert (world.metric("unknown_subjects") == 0
                and world.metric("keys_refreshes", result="failed") > 0)
        assert world.log().count("token refused") == rounds
    finally:
        crowd.close()
        for stranger in strangers:
            stranger.close()


def test_tokens_that_name_unknown_keys_do_not_flood_the_realm(realm, clients):
    # Without the answer of a fetch they would wait longer than the test does.
    at = realm("--keys-refresh-interval", "2s", "--refused-grace", "1s", "--keys-timeout", "1min")
    before = len(at.keycloak.requests)
    tokens = [at.bogus(NODE) for _ in range(3)]
    first = clients(Raw(at.world, NODE, token=tokens[0], source="127.0.5.200"))
    first.wait("invalid_token")
    assert len(at.keycloak.requests) == before + 1, "at once"
    many = [clients(Raw(at.world, NODE, token=tokens[n % 3], source=f"127.0.5.{n + 1}"))
            for n in range(50)]
    for client in many:
        client.wait("invalid_token")
    assert len(at.keycloak.requests) <= before + 3
    for client in many:
        client.wait_closed()
    assert all(client.events == INVALID for client in many)


def test_a_key_taken_out_of_the_realm_is_no_key(realm, clients):
    at = realm("--keys-refresh-interval", "100ms")
    old = at.token(NODE)
    clients(Raw(at.world, NODE, token=old))
    at.rotate(keep=0)
    new = clients(Raw(at.world, USER, token=at.token(USER)))
    at.world.joined(new)
    late = clients(Raw(at.world, NODE, token=old))
    late.wait("invalid_token")


def test_a_token_in_the_data_of_connect(realm, clients):
    """By the key that pushd has, by one that it must fetch, and one that is renewed while the
    header's has expired."""
    at = realm("--keys-refresh-interval", "100ms")
    world = at.world
    node = clients(Python(world, NODE, token=at.token(NODE)))
    world.joined(node)
    at.rotate()
    page = clients(Node(world, USER, token=at.token(USER), transports=("websocket",),
                        headers=False))
    world.joined(page)
    at.rotate()
    expired = at.token(OTHER, exp=1700000000)
    renewed = clients(Raw(world, OTHER, token=expired, auth={"token": at.token(OTHER)}))
    world.joined(renewed)
    assert not renewed.heard("expired_token")
    at.rotate()
    stale = clients(Raw(world, NODE, token="",
                        auth={"token": at.token(NODE, age=1, exp=1700000000)}))
    stale.wait("expired_token")
    wrong = clients(Raw(world, NODE, token="", auth={"token": at.bogus(NODE)}))
    wrong.wait("invalid_token")


def test_a_realm_that_is_away_at_the_start(realm, clients):
    """Clients are connected, and judged when there are keys."""
    at = realm("--keys-refresh-interval", "200ms")
    at.world.lab.stop_pushd(0)
    at.keycloak.behaviour = lambda handler: handler.answer(503, b"") or True
    at.world.start(path="/livez")
    wait_for(lambda: "no keys yet: GET http://localhost:"
             in at.world.http("GET", "/readyz", admin=True)[2], "the reason")
    good, bad = (clients(Raw(at.world, NODE, token=token))
                 for token in (at.token(NODE), at.forge.good(NODE, forged=True)))
    for client in (good, bad):
        client.round_trip()
        assert client.events == []
    assert not at.world.ready()
    at.keycloak.behaviour = None
    assert good.wait("sync")
    bad.wait("invalid_token")
    wait_for(at.world.ready, "/readyz")


@pytest.mark.parametrize("expiry", ["keep", "close"])
def test_a_live_connection_whose_token_expires(realm, clients, expiry):
    at = realm("--token-expiry", expiry, "--leeway", "0s")
    ends = int(time.time()) + 4
    short = clients(Raw(at.world, NODE, token=at.token(NODE, exp=ends)))
    long = clients(Raw(at.world, USER, token=at.token(USER)))
    at.world.joined(short, long)
    if expiry == "close":
        short.wait_closed()
        assert time.time() >= ends
        assert not any(packet.startswith("41")
                       for packet in short.packets), "clients do not return after it"
        assert at.world.metric("closed_sessions", reason="token") == 1
        assert at.world.log().count("token expired: closed address=127.0.0.1") == 1
    else:
        wait_for(lambda: time.time() > ends + 1, "the token to expire")
        at.world.settled(short)
        assert not short.closed
    assert short.heard("expired_token") == []
    again = clients(Raw(at.world, NODE, token=at.token(NODE, exp=ends)))
    again.wait("expired_token")
    assert not long.closed
