"""The documents say what the programs do."""
import glob
import json
import os
import re

from .report import FAILED, PASSED, TOP, run

LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")


def _read(path):
    try:
        with open(f"{TOP}/{path}", encoding="utf-8") as file:
            return file.read()
    except OSError:
        return ""


def _options():
    """The names of the daemon's options, from the daemon."""
    _, text = run(["build/release/vantage6-pushd", "--print-config"])
    return re.findall(r"^[#; ]*([a-z]\w*) *=", text, re.MULTILINE)


def _missing_options(path):
    text, options = _read(path), _options()
    lacking = [name for name in options if not re.search(rf"\b{name}\b|--{name.replace('_', '-')}\b|"
                                                         rf"-{name.replace('_', '.-')}\b", text)]
    return ["--print-config names no option"] if not options else [f"no word of {name}" for name in lacking]


def _broken_links(path):
    folder = os.path.dirname(path)
    return [f"no {link}" for link in LINK.findall(_read(path))
            if not os.path.exists(os.path.join(TOP, folder, link))]


def _versions():
    control = re.search(r"^default_version *= *'(.*)'", _read("vantage6_events.control"), re.MULTILINE)
    version = control.group(1) if control else None
    found = {"META.json": json.loads(_read("META.json") or "{}").get("version"),
             "CHANGELOG.md": next(iter(re.findall(r"^## (\S+)", _read("CHANGELOG.md"), re.MULTILINE)), None),
             "vantage6-pushd --version":
                 next(iter(re.findall(r"\d+\.\d+\.\d+", run(["build/release/vantage6-pushd", "--version"])[1])), None)}
    return [f"{where}: expected {version}, found {what}" for where, what in found.items() if what != version]


def docs():
    """Man page, links, options and versions."""
    man = "doc/vantage6-pushd.8"
    status, output = run(["mandoc", "-T", "lint", "-W", "warning", man])
    checks = {f"{man} is well formed": [output] if status else [],
              f"{man} has every option": _missing_options(man),
              "one version everywhere": _versions()}
    pages = sorted(glob.glob("*.md", root_dir=TOP) + glob.glob("doc/*.md", root_dir=TOP))
    for page in pages if "README.md" in pages else pages + ["README.md"]:
        checks[f"links of {page}"] = _broken_links(page) if page in pages else ["expected the file, found none"]
    for name, offences in checks.items():
        yield name, FAILED if offences else PASSED, "\n  " + "\n  ".join(offences)
