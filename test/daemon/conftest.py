"""Real processes: each lab is a private PostgreSQL with HQ's sample and one vantage6-pushd or more.

`v5` and `v4` are shared by the tests that leave them as they were; `own_lab` makes one for a test
that stops, kills or floods. No test sleeps: it waits for a fact until a deadline
(lablib.facts.wait_for).
"""
import contextlib
import os
import shutil
import sys
import tempfile

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]

from cast import OPTIONS, Stage  # noqa: E402
from http_connection import HttpConnection  # noqa: E402
from lone_pushd import PUSHD  # noqa: E402
from world import World  # noqa: E402


@pytest.fixture(scope="session")
def make_world():
    """make_world(hq='v5', instances=1, options=()) -> World; all end with the session."""
    with contextlib.ExitStack() as ends:  # each of them, also when another's end fails
        def make(**kwargs):
            folder = tempfile.mkdtemp(prefix="vantage6-test.", dir="/tmp")
            os.chmod(folder, 0o755)
            ends.callback(shutil.rmtree, folder, ignore_errors=True)
            world = World(f"{folder}/lab", **kwargs)
            ends.callback(world.end)
            return world

        yield make


@pytest.fixture(scope="session")
def v5(make_world):
    """A lab with HQ v5's tables and two instances."""
    return make_world(hq="v5", instances=2)


@pytest.fixture(scope="session")
def v4(make_world):
    """A lab with server v4's tables."""
    return make_world(hq="v4")


@pytest.fixture
def own_lab(make_world):
    """A lab of the test's own: own_lab(hq=..., instances=..., options=[...])."""
    made = []

    def make(**kwargs):
        made.append(make_world(**kwargs))
        return made[-1]

    yield make
    for world in made:
        world.end()


@pytest.fixture
def few_files(own_lab, tmp_path):
    """few_files(**kwargs): the same of a pushd that may have no more than 150 files open."""
    def make(**kwargs):
        wrapper = tmp_path / "few"
        wrapper.write_text(f'#!/bin/sh\nulimit -n 150\nexec {PUSHD} "$@"\n')
        wrapper.chmod(0o755)
        os.chmod(tmp_path, 0o755)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PUSHD", str(wrapper))
            return own_lab(**kwargs)
    return make


@pytest.fixture(scope="session")
def small(make_world):
    """The lab of limited()."""
    return make_world()


@pytest.fixture
def limited(small):
    """limited(*options): a lab whose pushd has been started again with these."""
    def restart(*options):
        small.lab.stop_pushd(0)
        small.lab.facts["options"] = ["--drain-time", "0s", *options]
        small.lab.start_pushd(0)
        return small
    return restart


@pytest.fixture
def clients():
    """clients(client) keeps it until the end of the test and closes it then."""
    kept = []

    def keep(client):
        kept.append(client)
        return client

    yield keep
    for client in reversed(kept):
        client.close()


@pytest.fixture
def connect(clients):
    """connect(world, ...): an HttpConnection that is closed at the end of the test."""
    return lambda *args, **kwargs: clients(HttpConnection(*args, **kwargs))


@pytest.fixture(scope="module", params=["v5", "v4"])
def theatre(request, make_world):
    """A version's lab with the whole cast in it, for the tests of one file in their order."""
    made = Stage(make_world(hq=request.param, options=OPTIONS))
    yield made
    made.end()
    made.world.end()


@pytest.fixture
def stage(theatre):
    """The same, where nothing was received and no row changed that has not been looked at."""
    theatre.forget()
    return theatre
