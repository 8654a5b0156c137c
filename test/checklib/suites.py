"""The suites: each yields (name, result, text), one per test."""
import glob
import os
import re
import shutil
import subprocess
import tempfile
import xml.etree.ElementTree
from concurrent.futures import ThreadPoolExecutor

from lablib.postgres import DOORBELL, Cluster, bindir, new_password
from lablib.process import free_ports

from .layering import layering
from .report import FAILED, PASSED, SKIPPED, Skip, TOP, run

PG_CONFIG = os.environ.get("PG_CONFIG", "pg_config")
ASAN_PUSHD = f"{TOP}/build/asan/vantage6-pushd"
SANITIZERS = {"ASAN_OPTIONS": "abort_on_error=0:detect_stack_use_after_return=1",
              "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1"}
# Sources are held to what these versions say; others disagree with them.
CLANG = 14


def _judged(name, status, output):
    return name, FAILED if status else PASSED, "\n" + output


def _files(*patterns):
    return sorted(path for pattern in patterns for path in glob.glob(pattern, root_dir=TOP))


def _need_clang(program):
    try:
        found = subprocess.run([program, "--version"], check=True, capture_output=True,
                               text=True).stdout
    except OSError:
        raise Skip(f"expected {program} {CLANG}, found none") from None
    version = re.search(r"version (\d+)", found)
    if not version or int(version.group(1)) != CLANG:
        raise Skip(
            f"expected {program} {CLANG}, found {version.group(1) if version else found.strip()}")


def format_check():
    """clang-format has nothing to change."""
    _need_clang("clang-format")
    for path in _files("src/*.[ch]", "pushd/*.[ch]", "pushd/*/*.[ch]", "test/unit/*.[ch]",
                       "test/unit/*/*.[ch]", "test/mock/*.[ch]", "test/fuzz/*.[ch]",
                       "test/fuzz/*/*.[ch]", "test/conformance/*.[ch]", "test/*.c"):
        yield _judged(path, *run(["clang-format", "--dry-run", "--Werror", path]))


def tidy():
    """clang-tidy has nothing to say."""
    _need_clang("clang-tidy")
    _, flags = run(["make", "-s", "--no-print-directory", "-C", "pushd", "print-cflags"])
    server = subprocess.run([PG_CONFIG, "--includedir-server"], check=True, capture_output=True,
                            text=True)
    # -I is relative to pushd/ there, and clang-tidy runs here.
    pushd = [re.sub(r"^-I(?!/)", "-Ipushd/", flag) for flag in flags.split()]
    jobs = [(path, pushd) for path in _files("pushd/*.c", "pushd/*/*.c")]
    jobs += [(path, ["-D_GNU_SOURCE", "-isystem", server.stdout.strip()])
             for path in _files("src/*.c")]

    def check(job):
        return _judged(job[0], *run(["clang-tidy", "--quiet", job[0], "--", *job[1]]))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from pool.map(check, jobs)


def unit():
    """The pure core under ASan and UBSan, and the layers."""
    for path in _files("build/asan/unit/*/test_*"):
        program = os.path.relpath(path, "build/asan/unit")
        if not os.path.exists(f"{TOP}/test/unit/{program}.c"):
            continue  # left over from a test that is gone
        status, output = run([path], seconds=120, CMOCKA_MESSAGE_OUTPUT="TAP", **SANITIZERS)
        failed = 0
        for verdict, name in re.findall(r"^(ok|not ok) \d+ - (.*)$", output, re.MULTILINE):
            failed += verdict != "ok"
            yield f"{program}: {name}", PASSED if verdict == "ok" else FAILED, "\n" + output
        if status and not failed:
            yield f"{program}: ended with status {status}", FAILED, "\n" + output
    yield from layering()


REGRESS_LINE = re.compile(
    r"^(?:(ok|not ok)\s+\d+\s+[-+] (\S+)|(?:test\s+|\s+)(\S+)\s+\.\.\. (ok|FAILED|failed))",
    re.MULTILINE)


def _pg_regress(assignments, settings=""):
    """make installcheck in a cluster of its own; PostgreSQL 16 and later write TAP, earlier ones
    lines with dots."""
    work = tempfile.mkdtemp(prefix="vantage6-check.", dir="/tmp")
    os.chmod(work, 0o711)
    if os.path.exists(f"{TOP}/regression.diffs"):
        os.unlink(f"{TOP}/regression.diffs")
    cluster = Cluster.make(f"{work}/pg", free_ports(1), bindir(PG_CONFIG), new_password(), settings)
    try:
        cluster.start()
        status, output = run(["make", "-s", "--no-print-directory", "installcheck", *assignments],
                             PGHOST=cluster.run, PGPORT=str(cluster.port), PGUSER="postgres")
    finally:
        cluster.remove(f"{work}/pg")
        shutil.rmtree(work)
    results = [(tap_name or name, (tap or dots) == "ok")
               for tap, tap_name, name, dots in REGRESS_LINE.findall(output)]
    failed = [name for name, good in results if not good]
    for name, good in results:
        # One file holds the differences of all: shown with the last.
        last = failed and name == failed[-1]
        yield name, PASSED if good else FAILED, "\n" + (_read("regression.diffs")
                                                        or output) if last else ""
    if status and not failed:
        yield "make installcheck", FAILED, "\n" + output


def _read(path):
    try:
        with open(f"{TOP}/{path}", encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def regress():
    """pg_regress, one test a file."""
    return _pg_regress(["ISOLATION="])


def _has_isolation():
    version = subprocess.run([PG_CONFIG, "--version"], check=True, capture_output=True,
                             text=True).stdout
    return not re.match(r"PostgreSQL 13\b", version)


def isolation():
    """The isolation specs."""
    if not _has_isolation():
        raise Skip("PostgreSQL 13's build files have no isolation tester")
    yield from _pg_regress(["REGRESS="])


def doorbell():
    """What concerns the bell again, with the background worker.

    It would do upkeep between the statements of regress.
    """
    settings = DOORBELL + "vantage6_events.upkeep_interval = 1h\n"
    yield from _pg_regress(["ISOLATION="], settings)
    # When the notification arrives, and from whom, is not the writer's:
    # test/daemon/test_doorbell.py has that.
    specs = sorted({os.path.basename(path)[:-5] for path in _files("test/specs/*.spec")}
                   - {"notify"})
    if _has_isolation():
        yield from _pg_regress(["REGRESS=", f"ISOLATION={' '.join(specs)}"], settings)
    yield from _pytest("doorbell", 900, [f"daemon/test_{name}.py" for name in (
        "exactly_once", "instructions", "recovery", "database_faults")], DOORBELL="1")


def _pytest(name, seconds, tests, **more):
    """Tests of pytest, with the programs under ASan and UBSan."""
    os.makedirs(f"{TOP}/build/check", exist_ok=True)
    results = f"{TOP}/build/check/{name}.xml"
    if os.path.exists(results):
        os.unlink(results)
    status, _ = run(["/usr/bin/python3", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o",
                     "junit_family=xunit1", f"--junitxml={results}",
                     *(f"test/{test}" for test in tests)],
                    seconds=seconds, show=True, PUSHD=ASAN_PUSHD, **SANITIZERS, **more)
    failed = 0
    for case in xml.etree.ElementTree.parse(results).iter("testcase") if os.path.exists(
            results) else ():
        kinds = {child.tag for child in case}
        result = FAILED if kinds & {"failure",
                                    "error"} else SKIPPED if "skipped" in kinds else PASSED
        failed += result == FAILED
        yield f"{case.get('classname')}.{case.get('name')}", result, ""
    if status and not failed:
        yield f"pytest: ended with status {status}", FAILED, ""


def daemon():
    """Real processes, real clients."""
    return _pytest("daemon", 3000, ["daemon"])


def attack():
    """Hostile clients beside honest ones: what one client may cost."""
    return _pytest("attack", 1800, ["attack"])


def conformance():
    """The protocols, without a database."""
    return _pytest("conformance", 600, ["conformance"])


def _script(name, seconds, **more):
    yield _judged(name, *run([f"test/{name}"], seconds=seconds, **more))


def valgrind():
    """Connect, deliver, SIGTERM under valgrind: no error and no leak."""
    return _script("valgrind", 300)


def demo():
    """make demo's second half."""
    return _script("demo", 120)
