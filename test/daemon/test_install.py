"""`make install` and `make uninstall`: what one installs the other removes, and nothing else."""
import os
import pathlib
import subprocess

TOP = pathlib.Path(__file__).resolve().parents[2]
NAMES = {"vantage6_events.so", "vantage6_events.control", "vantage6-pushd", "vantage6-pushd.8",
         "vantage6-pushd.ini", "vantage6-pushd.service"}


def make(target, root):
    """Run the target below root, free of a make that may have started the tests."""
    env = {name: value for name, value in os.environ.items()
           if not name.startswith(("MAKE", "MFLAGS"))}
    subprocess.run(["make", "-s", target, f"DESTDIR={root}", "prefix=/opt/vantage6"], cwd=TOP,
                   env=env, check=True, stdin=subprocess.DEVNULL)


def files(root):
    return {path for path in root.rglob("*") if not path.is_dir()}


def test_what_is_installed_is_uninstalled_and_nothing_else(tmp_path):
    make("install", tmp_path)
    installed = files(tmp_path)
    assert NAMES <= {path.name for path in installed}
    assert any(path.name.startswith("vantage6_events--") for path in installed)
    others = {path.with_name(f"other-{path.name}") for path in installed}
    for path in others:
        path.touch()
    make("uninstall", tmp_path)
    assert files(tmp_path) == others


def test_a_folder_of_its_own_is_removed_too(tmp_path):
    make("install", tmp_path)
    folder = tmp_path / "opt/vantage6/share/doc/vantage6-pushd"
    assert folder.is_dir()
    make("uninstall", tmp_path)
    assert not folder.exists()
    make("uninstall", tmp_path)
