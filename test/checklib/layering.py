"""The layers: each uses only those below it, the core is pure, HQ's policy stays in the database.

layer    a folder of pushd/; pushd/Makefile lists them from the ground up, and which are the core
module   the files of one name in a folder: x.h, x.c
use      an #include, or a symbol of another module; what goes through a pointer is none
"""
import glob
import os
import re

from .report import FAILED, PASSED, TOP, run

EDGE_SYMBOL = re.compile(r"^(lws_|_lws_|PQ|uv_|curl_)")
EDGE_HEADER = re.compile(
    r'^\s*#\s*include\s*[<"](libwebsockets|lws|libpq|postgres|pg_|uv|curl)[\w./-]*[>"]',
    re.MULTILINE)
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)
# HQ's words. Those that pushd sends or takes as settings (/tasks, expired_token) are not among
# them.
POLICY = re.compile(
    r"\b(collaborations?|organi[sz]ations?|task_id|run_id|kill_containers|kill_list|job_id|"
    r"node-online|node-offline|node-status-changed|new_task|new_task_update|status_update|"
    r"algorithm_status_change|algorithm_log|delete_dataframe|dataframe_deleted|"
    r"node_info_update|node_metrics_update|authenticatable)\b", re.IGNORECASE)


def _layers():
    _, text = run(["make", "-s", "--no-print-directory", "-C", "pushd", "print-layers"])
    core, every = text.splitlines()
    return core.split(), every.split()


def _sources(folders):
    """Their files, as pushd/ knows them."""
    return sorted(os.path.relpath(path, f"{TOP}/pushd") for folder in folders
                  for path in glob.glob(f"{TOP}/pushd/{folder}/*.[ch]"))


def _read(path):
    with open(f"{TOP}/pushd/{path}", encoding="utf-8") as file:
        return file.read()


def _search(pattern, paths):
    return [f"pushd/{path}:{number}: {text.strip()}" for path in paths
            for number, text in enumerate(_read(path).splitlines(), 1) if pattern.search(text)]


def _includes(paths):
    """Pairs (file, header that it includes)."""
    return [(path, header) for path in paths for header in INCLUDE.findall(_read(path))]


def _symbols(layers):
    """{module: [(symbol, kind)]} by the objects, those of tests' archives too."""
    found = {}
    for layer in layers:
        for path in sorted(glob.glob(f"{TOP}/build/asan/obj/{layer}/*.o")):
            module = f"{layer}/{os.path.basename(path)[:-2]}"
            if os.path.exists(f"{TOP}/pushd/{module}.c"):  # else left over from a file that is gone
                _, text = run(["nm", "-P", path])
                found[module] = re.findall(r"^(\S+) (\w)", text, re.MULTILINE)
    return found


def _calls(symbols):
    """Pairs (module, "module: symbol" that it uses)."""
    owner = {symbol: module for module, rows in symbols.items()
             for symbol, kind in rows if kind in "TDRBVC"}
    return [(module, owner[symbol], symbol) for module, rows in symbols.items()
            for symbol, kind in rows if kind == "U" and symbol in owner and owner[symbol] != module]


def _upward(layers, uses):
    """Of pairs (user, used), those that use a layer above their own, or none that there is."""
    rank = {layer: i for i, layer in enumerate(layers)}
    return [f"{' uses '.join(use)}" for use in uses
            if rank.get(use[1].split("/")[0], len(rank)) > rank[use[0].split("/")[0]]]


def _circle(uses):
    """The first circle among pairs (user, used), as one line; none: []."""
    graph = {}
    for user, used, *_ in uses:
        graph.setdefault(user, set()).add(used)
    done = set()

    def walk(at, way):
        if at in way:
            return [" uses ".join(way[way.index(at):] + [at])]
        if at in done:
            return []
        circle = [line for used in sorted(graph.get(at, ())) for line in walk(used, way + [at])][:1]
        done.add(at)
        return circle
    return [line for user in sorted(graph) for line in walk(user, [])][:1]


def layering():
    """The rules, each a test."""
    core, layers = _layers()
    symbols = _symbols(layers)
    files = _sources(layers)
    includes = _includes(files)
    calls = _calls(symbols)
    impure = [f"{module}: {symbol}" for module, rows in symbols.items()
              if module.split("/")[0] in core
              for symbol, kind in rows if kind == "U" and EDGE_SYMBOL.match(symbol)]
    unbuilt = [path for path in files if path.endswith(".c") and path[:-2] not in symbols]
    strays = [path for path in glob.glob("*/*.[ch]", root_dir=f"{TOP}/pushd") if path not in files]
    rules = {
        "the core links with no libwebsockets, libpq, libuv or libcurl": impure,
        "the core includes no header of theirs": _search(EDGE_HEADER, _sources(core)),
        "no layer of pushd includes a header of one above it": _upward(layers, includes),
        "no layer of pushd calls one above it": _upward(layers, calls),
        "no headers of pushd include each other in a circle": _circle(includes),
        "no modules of pushd call each other in a circle": _circle(calls),
        "every file of pushd is in a layer, and compiled": unbuilt + strays,
        "no word of HQ's policy in pushd": _search(POLICY, files + ["main.c"])}
    for name, offences in rules.items():
        yield name, FAILED if offences else PASSED, "\n  " + "\n  ".join(offences)
