"""The layers: the core is pure, and HQ's policy stays in the database."""
import glob
import os
import re

from .report import FAILED, PASSED, TOP, run

EDGE_SYMBOL = re.compile(r"^\s+U (lws_|_lws_|PQ|uv_)", re.MULTILINE)
EDGE_HEADER = re.compile(r'^\s*#\s*include\s*[<"](libwebsockets|lws|libpq|postgres|pg_|uv)[\w./-]*[>"]', re.MULTILINE)
EDGE_OWN = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)
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
            found += [f"{os.path.relpath(path, TOP)}: includes {name}" for name in EDGE_OWN.findall(file.read())
                      if os.path.basename(name) in edge]
    return found


def layering():
    """Three rules, each a test."""
    status, symbols = run(["nm", "-u", "build/asan/libcore.a"])
    found = [f"nm: {symbols}"] if status else [m.group().strip() for m in EDGE_SYMBOL.finditer(symbols)]
    rules = {"core links with neither libwebsockets, libpq nor libuv": found,
             "core includes no header of the edge": _search(EDGE_HEADER, _sources("core/")) + _edge_includes(),
             "no word of HQ's policy in pushd": _search(POLICY, _sources("", "core/", "edge/"))}
    for name, offences in rules.items():
        yield name, FAILED if offences else PASSED, "\n  " + "\n  ".join(offences)
