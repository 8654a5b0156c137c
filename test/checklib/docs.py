"""The documents say what the programs do."""
import glob
import json
import os
import re

from .columns import columns
from .report import FAILED, PASSED, TOP, run

NAMED_TEST = re.compile(r"`((?:attack|conformance|daemon|sql|specs|unit)/[^`:]*)(?:::([^`]*))?`")
# How a test begins in a file of its kind; of the others the whole file is one.
TEST = {".py": r"^def %s\(", ".c": r"^static void %s\(void \*\*state\)"}
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)")


def _read(path):
    try:
        with open(f"{TOP}/{path}", encoding="utf-8") as file:
            return file.read()
    except OSError:
        return ""


def _anchors(page):
    """The anchors of its headings, as GitHub makes them."""
    text = re.sub(r"^ *```.*?^ *```", "", _read(page), flags=re.MULTILINE | re.DOTALL)
    names = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
             for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)]
    return {f"{name}-{names[:i].count(name)}" if name in names[:i] else name
            for i, name in enumerate(names)}


def _broken_links(page):
    broken = []
    for link, anchor in LINK.findall(_read(page)):
        target = os.path.normpath(os.path.join(os.path.dirname(page), link)) if link else page
        if not os.path.exists(f"{TOP}/{target}"):
            broken.append(f"no {link}")
        elif anchor and anchor not in _anchors(target):
            broken.append(f"no heading #{anchor} in {target}")
    return broken


def _missing_tests(page):
    """Tests that the page names and that are not there: daemon/test_x.py::test_y, sql/x.sql."""
    named = NAMED_TEST.findall(_read(page))
    missing = []
    for path, test in named:
        begin, text = TEST.get(os.path.splitext(path)[1]), _read(f"test/{path}")
        if not os.path.isfile(f"{TOP}/test/{path}") or bool(begin) != bool(test) or (
                begin and not re.search(begin % re.escape(test), text, re.MULTILINE)):
            missing.append(f"no {path}::{test}" if test else f"no {path}")
    return missing if len(named) > 100 else [f"expected more than 100 tests, found {len(named)}"]


def _missing_limits(page, heading):
    """Limits of pushd and of the extension that the page's table of them has not."""
    options = re.search(r"^\*\*Limits\*\*$(.*?)^\*\*", _read("doc/configuration.md"),
                        re.MULTILINE | re.DOTALL).group(1)
    limits = re.findall(r"^\| `(\w+)`", options, re.MULTILINE)
    limits += re.findall(r"^SETTING\((max_\w+)", _read("src/settings.def"), re.MULTILINE)
    section = _read(page).partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    missing = [f"no {limit}" for limit in limits if f"{limit}`" not in section]
    return missing if len(limits) > 20 else [f"expected more than 20 limits, found {limits}"]


def _other_functions(page, heading):
    """The functions of pushd's role are those in the first column of the section's table."""
    granted = re.search(r"\('pushd', ARRAY\[(.*?)\]", _read("sql/91-privileges.sql"), re.DOTALL)
    granted = sorted(re.findall(r"'(\w+)'", granted.group(1) if granted else ""))
    section = _read(page).partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    named = sorted(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))
    return [] if granted and granted == named else [f"expected {granted}, found {named}"]


def _versions():
    def first(pattern, text):
        return next(iter(re.findall(pattern, text, re.MULTILINE)), None)
    version = first(r"^default_version *= *'(.*)'", _read("vantage6_events.control"))
    program = run(["build/release/vantage6-pushd", "--version"])[1]
    found = {"META.json": json.loads(_read("META.json") or "{}").get("version"),
             "CHANGELOG.md": first(r"^## (\d\S*)", _read("CHANGELOG.md")),
             "vantage6-pushd --version": first(r"\d+\.\d+\.\d+", program)}
    return [f"{where}: expected {version}, found {what}"
            for where, what in found.items() if what != version]


def docs():
    """Man page, links, options, versions and the length of lines."""
    man = "doc/vantage6-pushd.8"
    status, output = run(["mandoc", "-T", "lint", "-W", "warning", man])
    checks = {f"{man} is well formed": [output] if status else [],
              "one version everywhere": _versions(),
              "each test that doc/guarantees.md names is there":
                  _missing_tests("doc/guarantees.md"),
              "each limit is in the table of doc/guarantees.md":
                  _missing_limits("doc/guarantees.md", "What one client may take"),
              "each function of pushd's role is in doc/guarantees.md":
                  _other_functions("doc/guarantees.md", "If the role of pushd is stolen")}
    status, output = run(["test/settings-table", "--check"])
    checks["doc/sql.md has the settings of src/settings.def"] = [output] if status else []
    status, output = run(["test/options-tables", "--check"])
    checks["the documents have the options that the program has"] = [output] if status else []
    status, output = run(["test/doc-check"])
    lines = re.findall(r"^(ok|not ok) \d+ - (.*)$", output, re.MULTILINE)
    checks.update((name, [] if verdict == "ok" else [output]) for verdict, name in lines)
    if status and all(verdict == "ok" for verdict, _ in lines):
        checks["test/doc-check"] = [output]
    pages = sorted(glob.glob("*.md", root_dir=TOP) + glob.glob("doc/*.md", root_dir=TOP))
    for page in pages if "README.md" in pages else pages + ["README.md"]:
        there = page in pages
        checks[f"links of {page}"] = _broken_links(page) if there else ["expected it, found none"]
    checks.update(columns())
    for name, offences in checks.items():
        yield name, FAILED if offences else PASSED, "\n  " + "\n  ".join(offences)
