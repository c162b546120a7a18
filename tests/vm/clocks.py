# SPDX-License-Identifier: BSD-2-Clause
"""What a guest brings back in which tests/vm/clocks.sh ran."""
import csv
import json
import re
import subprocess
from collections import Counter, defaultdict

TOLERANCE = 0.05  # seconds: the shell of the guest sees hundredths
NOTICED = 0.3  # until the recorder is told that the clock was set
LOADS = ["forward", "back", "resumed", "yesterday"]
NAME = re.compile(r"out_(\d{5})_(\d{8}T\d{6})Z\.pcapng")


def lines(path):
    return [line.split() for line in path.read_text().splitlines()]


def rows_of(read, path):
    result = subprocess.run([str(read), "-r", str(path), "-j"], capture_output=True, text=True)
    return result, [json.loads(line) for line in result.stdout.splitlines()]


def key_of(row):
    return tuple(str(row[name]) for name in ("pid", "saddr", "lport", "daddr", "dport"))


def check(read, out):
    """Yields (name of a test, what is wrong or "")."""
    yield "it ran to its end", "" if (out / "names").exists() else "no names"
    result, rows = rows_of(read, out / "files")
    made = {load: list(csv.DictReader((out / f"{load}.csv").open())) for load in LOADS}
    statuses = [(out / f"{name}.status").read_text().strip() for name in ("first", "second")]
    total = sum(map(len, made.values()))
    yield ("each connect is recorded once, none is lost",
           "" if len(rows) == total and statuses == ["0", "0"] and not result.returncode
           and not result.stderr else
           f"{total} made, {len(rows)} read, exit {statuses}, {result.returncode}: {result.stderr}")
    yield "the next file begins when the clock is set, and on resume", (
        (out / "late").read_text().strip() if (out / "late").exists() else "")
    yield "wall times are right before and after", wall_times(out, made, rows)
    yield "events of a file come in their order", order(read, out, made)
    yield "names sort, go on and replace none", names(out)
    yield "the boot clock went on while the machine slept, the monotonic stood", slept(out)


def wall_times(out, made, rows):
    offsets = {name: (float(wall) - float(end), float(wall) - float(begin))
               for name, begin, end, wall in lines(out / "clocks")}
    steps = {name: (float(begin), float(end)) for name, begin, end in lines(out / "steps")}
    before = {"forward": "start", "back": "forward"}
    walls = defaultdict(list)
    for row in rows:
        walls[key_of(row)].append(row["time_ns"] / 1e9)
    wrong, checked = [], {load: [0, 0] for load in LOADS}
    for load in LOADS:
        for call in made[load]:
            boot = int(call["time_ns"]) / 1e9
            allowed = {offsets[load]}
            if load in before and boot < steps[load][1] + NOTICED:
                allowed = {offsets[before[load]]} | (allowed if boot > steps[load][0] else set())
            else:
                checked[load][1] += 1
            checked[load][0] += 1
            if not any(low - TOLERANCE < wall - boot < high + TOLERANCE for low, high in allowed
                       for wall in walls[key_of(call)]):
                wrong.append(f"{load}: at {boot}: {walls[key_of(call)]}, by {allowed}")
    for load in before:
        if not 0 < checked[load][1] < checked[load][0]:
            wrong.append(f"{load}: the clock was not set within the load: {checked[load]}")
    return f"{len(wrong)}: " + "; ".join(wrong[:3]) if wrong else ""


def order(read, out, made):
    """That of the calls, whatever the wall clock said; several files are merged by that one."""
    calls = [call for load in LOADS for call in made[load]]
    often = Counter(map(key_of, calls))  # ports come again
    when = {key_of(call): int(call["time_ns"]) for call in calls if often[key_of(call)] == 1}
    for path in sorted((out / "files").iterdir()):
        times = [when[key_of(row)] for row in rows_of(read, path)[1] if key_of(row) in when]
        late = sum(a > b for a, b in zip(times, times[1:]))
        if late:
            return f"{path.name}: {late} of {len(times)} come behind a later one"
    return ""


def names(out):
    found = [name for name, in lines(out / "names") if name not in (".", "..")]
    matches = [NAME.fullmatch(name) for name in sorted(found)]
    if not all(matches):
        return f"{found}"
    numbers = [int(match[1]) for match in matches]
    return "" if numbers == list(range(1, len(numbers) + 1)) and len(numbers) >= 5 else f"{found}"


def slept(out):
    before, boot_before, after, boot_after = (out / "monotonic").read_text().splitlines()
    monotonic = (int(after.split()[2]) - int(before.split()[2])) / 1e9
    boot = float(boot_after) - float(boot_before)
    return "" if boot > 30 and monotonic < 15 else f"boot {boot} s, monotonic {monotonic} s"
