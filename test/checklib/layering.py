"""The layers: the core is pure, and HQ's policy stays in the database."""
import glob
import os
import re

from .report import FAILED, PASSED, TOP, run

EDGE_SYMBOL = re.compile(r"^\s+U (lws_|_lws_|PQ|uv_)", re.MULTILINE)
EDGE_HEADER = re.compile(r'^\s*#\s*include\s*[<"](libwebsockets|lws|libpq|postgres|pg_|uv)[\w./-]*[>"]', re.MULTILINE)
OWN_HEADER = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)
# The layers of the core from below: each may use those below it. A module that is in none is below all.
LAYERS = ({"engine", "engine_state", "gate", "pace", "session", "transport"},
          {"backend", "hub", "hub_state", "hub_event", "hub_errand", "client", "socket"},
          {"guard", "guard_state", "guard_judge", "roster"})
# HQ's words. Those that pushd sends or takes as settings (/tasks, expired_token) are not among them.
POLICY = re.compile(r"\b(collaborations?|organi[sz]ations?|task_id|run_id|kill_containers|kill_list|job_id|"
                    r"node-online|node-offline|node-status-changed|new_task|new_task_update|status_update|"
                    r"algorithm_status_change|algorithm_log|delete_dataframe|dataframe_deleted|"
                    r"node_info_update|node_metrics_update|authenticatable)\b", re.IGNORECASE)


def _sources(*folders):
    return sorted(path for folder in folders for path in glob.glob(f"{TOP}/pushd/{folder}*.[ch]"))


def _search(pattern, paths):
    found = []
    for path in paths:
        with open(path, encoding="utf-8") as file:
            for number, text in enumerate(file, 1):
                if pattern.search(text):
                    found.append(f"{os.path.relpath(path, TOP)}:{number}: {text.strip()}")
    return found


def _edge_includes():
    edge = {os.path.basename(path) for path in _sources("edge/")}
    found = []
    for path in _sources("core/"):
        with open(path, encoding="utf-8") as file:
            found += [f"{os.path.relpath(path, TOP)}: includes {name}" for name in OWN_HEADER.findall(file.read())
                      if os.path.basename(name) in edge]
    return found


def _layer(module):
    return next((i for i, layer in enumerate(LAYERS, 1) if module in layer), 0)


def _upward(uses):
    """Of pairs (module, module that it uses, by what), those that go up; and circles of modules."""
    found = [f"{user} uses {used} of a layer above it: {what}" for user, used, what in uses
             if _layer(used) > _layer(user)]
    graph = {}
    for user, used, what in uses:
        if user != used:
            graph.setdefault(user, set()).add(used)

    def walk(module, way):
        if module in way:
            return [" uses ".join(way[way.index(module):] + [module])]
        return [circle for used in sorted(graph.get(module, ())) for circle in walk(used, way + [module])][:1]
    return found, [circle for module in sorted(graph) for circle in walk(module, [])][:1]


def _includes():
    uses = []
    for path in _sources("core/"):
        name = os.path.basename(path)
        with open(path, encoding="utf-8") as file:
            uses += [(name, header, "#include") for header in OWN_HEADER.findall(file.read())]
    return uses


def _links():
    """Who uses whose symbol, by the objects in the archive."""
    status, text = run(["nm", "-A", "-P", "build/asan/libcore.a"])
    if status:
        return None, [f"nm: {text}"]
    rows = re.findall(r"\[(\w+)\.o\]: (\S+) (\w)", text)
    owner = {symbol: module for module, symbol, kind in rows if kind in "TDRBVC"}
    return [(module, owner[symbol], symbol) for module, symbol, kind in rows if kind == "U" and symbol in owner], []


def _stem(uses):
    return [(user.split(".")[0], used.split(".")[0], f"{user} {what} {used}") for user, used, what in uses]


def layering():
    """The rules, each a test."""
    status, symbols = run(["nm", "-u", "build/asan/libcore.a"])
    found = [f"nm: {symbols}"] if status else [m.group().strip() for m in EDGE_SYMBOL.finditer(symbols)]
    includes = _includes()
    links, failed = _links()
    upward, _ = _upward(links or [])
    missing = sorted(set().union(*LAYERS) - {os.path.basename(path).split(".")[0] for path in _sources("core/")})
    rules = {"core links with neither libwebsockets, libpq nor libuv": found,
             "no layer of the core links with one above it": failed or upward,
             "no layer of the core includes a header of one above it": _upward(_stem(includes))[0],
             "no headers of the core include each other in a circle": _upward(includes)[1],
             "every module of a layer exists": missing,
             "core includes no header of the edge": _search(EDGE_HEADER, _sources("core/")) + _edge_includes(),
             "no word of HQ's policy in pushd": _search(POLICY, _sources("", "core/", "edge/"))}
    for name, offences in rules.items():
        yield name, FAILED if offences else PASSED, "\n  " + "\n  ".join(offences)
