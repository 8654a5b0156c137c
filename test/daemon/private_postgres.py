"""A PostgreSQL of the test's own: copied programs look for extensions and libraries beside
themselves."""
import os
import shutil
import subprocess

from lablib.postgres import bindir

PROGRAMS = ("initdb", "pg_config", "pg_dump", "pg_dumpall", "pg_restore", "postgres", "psql")


def _link_all(source, folder):
    os.makedirs(folder)
    for name in os.listdir(source):
        os.symlink(f"{source}/{name}", f"{folder}/{name}")


class PrivatePostgres:
    """Where PG_CONFIG is to point (pg_config), and what may be put beside what is installed."""

    def __init__(self, folder):
        found = os.environ.get("PG_CONFIG", "pg_config")
        places = {"--bindir": bindir(found)}
        for option in ("--sharedir", "--pkglibdir"):
            places[option] = subprocess.run([found, option], check=True, capture_output=True,
                                            text=True).stdout.strip()
        top = os.path.commonpath(places.values())
        mine = {option: f"{folder}/{os.path.relpath(place, top)}"
                for option, place in places.items()}
        _link_all(places["--sharedir"], mine["--sharedir"])
        _link_all(places["--pkglibdir"], mine["--pkglibdir"])
        os.unlink(mine["--sharedir"] + "/extension")
        _link_all(places["--sharedir"] + "/extension", mine["--sharedir"] + "/extension")
        os.makedirs(mine["--bindir"], exist_ok=True)
        for program in PROGRAMS:
            shutil.copy(f"{places['--bindir']}/{program}", mine["--bindir"])
        self.pg_config = mine["--bindir"] + "/pg_config"
        self.libraries = mine["--pkglibdir"]
        self.extensions = mine["--sharedir"] + "/extension"

    def put(self, path, folder):
        """A file of its own in place of the installed one."""
        place = f"{folder}/{os.path.basename(path)}"
        if os.path.lexists(place):
            os.unlink(place)
        shutil.copy(path, place)
