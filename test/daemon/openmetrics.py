"""Reading what /metrics says, by the rules of OpenMetrics 1.0."""
import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = rf"{NAME}=\"(?:[^\"\\\n]|\\[\"\\n])*\"(?:,|(?=\}}))"
NUMBER = r"-?[0-9.]+(?:e[+-]?\d+)?|NaN|[+-]Inf"
SAMPLE = re.compile(rf"^({NAME})(?:\{{({LABEL})*\}})? ({NUMBER})$")
SUFFIXES = {"counter": {"_total", "_created"}, "gauge": {""}}


def families(text):
    """Read an exposition by the rules of OpenMetrics 1.0: {name: (type, {sample: value})}."""
    assert text.endswith("# EOF\n") and text.count("# EOF") == 1
    found, current = {}, None
    for line in text[:-len("# EOF\n")].splitlines():
        words = line.split(" ", 3)
        if words[0] == "#":
            assert words[1] in ("HELP", "TYPE", "UNIT"), line
            if words[2] != current:
                current = words[2]
                assert current not in found, f"the lines of {current} do not stand together"
                found[current] = [None, {}]
            if words[1] == "TYPE":
                assert found[current][0] is None and not found[current][1], line
                found[current][0] = words[3]
            continue
        sample = SAMPLE.match(line)
        assert sample, f"no sample: {line!r}"
        kind, samples = found[current]
        assert sample.group(1).removeprefix(current) in SUFFIXES[kind], line
        assert line.rpartition(" ")[0] not in samples, f"twice: {line}"
        samples[line.rpartition(" ")[0]] = float(sample.group(3))
    return found
