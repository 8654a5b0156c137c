"""Fuzzing: each target of test/fuzz runs what is known, and then so many seconds of what libFuzzer
makes of it.

FUZZ names one target, FUZZ_SECONDS says how long. What is found stays in build/fuzz/findings, and
what was learned in build/fuzz/corpus, for the next run.
"""
import glob
import os
import re
import tempfile
from concurrent.futures import ThreadPoolExecutor

from .report import FAILED, PASSED, Skip, TOP, run, say

HOME = f"{TOP}/build/fuzz"
SECONDS = 8
# Fewer mean that it did not fuzz, but only began to.
LEAST_EXECUTIONS = 200
# Something is wrong with what takes longer than this on one input.
INPUT_SECONDS = 10


def _need_libfuzzer():
    clang = os.environ.get("FUZZ_CC") or "clang"
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/f.c", "w", encoding="ascii") as file:
            file.write("int LLVMFuzzerTestOneInput(const unsigned char *d, unsigned long n);\n"
                       "int LLVMFuzzerTestOneInput(const unsigned char *d, unsigned long n) { "
                       "return !d && n; }\n")
        try:
            status, _ = run([clang, "-fsanitize=fuzzer,address,undefined", "-o", f"{folder}/f",
                             f"{folder}/f.c"])
        except OSError:
            status = -1
    if status:
        raise Skip(
            f"expected {clang} with libFuzzer (Debian: clang and libclang-rt-dev), found none")


def _targets():
    names = sorted(re.sub(r"^.*/fuzz_|\.c$", "", path)
                   for path in glob.glob(f"{TOP}/test/fuzz/*/fuzz_*.c"))
    wanted = os.environ.get("FUZZ")
    if wanted and wanted not in names:
        raise ValueError(f"FUZZ: expected one of {', '.join(names)}; found {wanted}")
    return [wanted] if wanted else names


def _command(target, seconds):
    """Of the corpora the first is written to."""
    corpus = f"{HOME}/corpus/{target}"
    os.makedirs(corpus, exist_ok=True)
    known = [path for path in (f"{HOME}/seeds/{target}", f"{TOP}/test/fuzz/corpus/{target}")
             if os.path.isdir(path)]
    words = f"{TOP}/test/fuzz/dict/{target}.dict"
    return ([f"{HOME}/target/{target}", f"-max_total_time={seconds}", f"-timeout={INPUT_SECONDS}",
             "-print_final_stats=1", f"-artifact_prefix={HOME}/findings/{target}-"]
            + ([f"-dict={words}"] if os.path.exists(words) else [])
            + [corpus] + known)


def _last(pattern, output):
    return (re.findall(pattern, output) or ["0"])[-1]


def _fuzz(target, seconds):
    argv = _command(target, seconds)
    status, output = run(argv, seconds=seconds + 120,
                         UBSAN_OPTIONS="print_stacktrace=1:halt_on_error=1")
    executions = int(_last(r"stat::number_of_executed_units: (\d+)", output))
    if status:
        found = re.findall(r"Test unit written to (\S+)", output)
        again = [f"Found by fuzzing; once more: {argv[0]} {path}" for path in found]
        shown = re.sub(r"^(?:#\d+\t|INFO: ).*\n", "", output, flags=re.M)[-6000:]
        return target, FAILED, "\n".join(["", shown, *again])
    say(f"   {target}: {executions} executions, {_last(r'cov: ([0-9]+)', output)} edges, "
        f"{_last(r'corp: ([0-9]+)', output)} inputs")
    if executions < LEAST_EXECUTIONS:
        return (target, FAILED, f"\nexpected {LEAST_EXECUTIONS} executions at least, found "
                f"{executions}\n{output[-2000:]}")
    return target, PASSED, ""


def fuzz():
    """One test a target."""
    _need_libfuzzer()
    seconds = int(os.environ.get("FUZZ_SECONDS") or SECONDS)
    for step in (["make", "-s", "--no-print-directory", f"-j{os.cpu_count()}", "-C", "pushd",
                  "VARIANT=fuzz", "fuzz"],
                 ["test/fuzz/make-seeds", f"{HOME}/seeds"]):
        status, output = run(step, seconds=1800)
        if status:
            yield " ".join(step), FAILED, "\n" + output
            return
    os.makedirs(f"{HOME}/findings", exist_ok=True)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from pool.map(lambda target: _fuzz(target, seconds), _targets())
