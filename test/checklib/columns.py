"""Lines end at 100 columns: in documents, SQL, C, Python, shell, and what make and others read."""
import os
import re

from .report import TOP

COLUMNS = 100
KINDS = {"documents": (".md", ".8", ".ini"), "SQL": (".sql", ".psql", ".spec"),
         "C": (".c", ".h", ".def"), "Python": (".py",), "shell": (".sh",),
         "other files": (".mk", ".service", ".yaml", "Makefile", "Dockerfile")}
PROGRAMS = {"python3": "Python", "sh": "shell", "bash": "shell"}
# What is made, what came from elsewhere, and what is compared byte for byte.
ELSEWHERE = {".git", "build", "expected", "log", "node_modules", "output_iso", "results",
             "test/upgrade"}
MADE = re.compile(r"vantage6_events--.*\.sql")


def _kind(path):
    """The kind of a file by its name, or by the program that its first line names."""
    for kind, ends in KINDS.items():
        if path.endswith(ends):
            return kind
    if os.path.splitext(path)[1] or os.path.islink(path):
        return None
    with open(path, encoding="utf-8", errors="replace") as file:
        program = re.match(r"#!(?:\S*/)(\w+)\s", file.readline())
    return PROGRAMS.get(program.group(1)) if program else None


def _files():
    for folder, folders, names in os.walk(TOP):
        here = os.path.relpath(folder, TOP)
        folders[:] = sorted(name for name in folders
                            if not {name, os.path.normpath(f"{here}/{name}")} & ELSEWHERE)
        yield from (os.path.normpath(f"{here}/{name}") for name in sorted(names)
                    if not MADE.fullmatch(name))


def _may_be_longer(path, line):
    """A row of a table in Markdown; an address, and in Markdown a packet: they have no blank."""
    markdown, one_word = path.endswith(".md"), len(line.split()) <= 2
    return markdown and line.lstrip().startswith("|") or one_word and (markdown or "://" in line)


def columns():
    """{what is looked at: its lines that are too long}."""
    found = {kind: [] for kind in KINDS}
    for path in _files():
        kind = _kind(f"{TOP}/{path}")
        if not kind:
            continue
        with open(f"{TOP}/{path}", encoding="utf-8") as file:
            found[kind] += [f"{path}:{number}: {len(line)} columns"
                            for number, line in enumerate(file.read().split("\n"), 1)
                            if len(line) > COLUMNS and not _may_be_longer(path, line)]
    return {f"no line over {COLUMNS} columns in {kind}": lines for kind, lines in found.items()}
