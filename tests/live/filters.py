"""A filter in the recorder (in the kernel) and the same one in the reader give the same rows."""
import contextlib
import pwd
import random
import subprocess

from harness import Load, Recorder, Wrong, batches_of, compare, expect, fresh_uids, rows_of, test

MODES = "v4,v6,mapped,closed4,closed6,closedmapped"
PID, UID, IP, DPORT = 0, 2, 5, 9


class Case:
    """A filter as both programs take it, and what it means for a row."""

    def __init__(self, wants, *options):
        self.wants, self.options = wants, options


def cases(pids, users, name, port):
    """pids: of the processes; users: two; name: of the second user; port: the first of six."""
    near = {str(port + i) for i in (0, 2, 3, 5)}
    listed = f"{port},{port + 2}-{port + 3},{port + 5}"
    span = {str(port + i) for i in range(1, 5)}
    return [
        Case(lambda r: r[PID] == pids[0], "-p", pids[0]),
        Case(lambda r: r[PID] in pids[1:3], "-p", ",".join(pids[1:3])),
        Case(lambda r: r[PID] in pids[1:3], "-p", pids[1], "-p", pids[2]),
        Case(lambda r: r[PID] not in pids[:2], "-p", "!" + ",".join(pids[:2])),
        Case(lambda r: r[UID] == users[0], "-u", users[0]),
        Case(lambda r: r[UID] == users[1], "-u", name),
        Case(lambda r: r[UID] in users, "--uid", f"{users[0]},{name}"),
        Case(lambda r: r[UID] != users[0], "-u", f"!{users[0]}"),
        Case(lambda r: r[DPORT] == str(port + 1), "-P", port + 1),
        Case(lambda r: r[DPORT] in span, "--port", f"{port + 1}-{port + 4}"),
        Case(lambda r: r[DPORT] in near, "-P", listed),
        Case(lambda r: r[DPORT] not in near, "-P", "!" + listed),
        Case(lambda r: r[IP] == "4", "-4"),
        Case(lambda r: r[IP] == "6", "-6"),
        Case(lambda r: (r[UID] == users[0] and r[DPORT] in span and r[IP] == "6"
                        and r[PID] != pids[0]),
             "-u", users[0], "-P", f"{port + 1}-{port + 4}", "-6", "-p", "!" + pids[0]),
        Case(lambda r: False, "-p", pids[0], "-u", users[1]),
    ]


def start_load(users):
    """The pids of its processes and its first port; it connects when its stdin is closed."""
    for _ in range(20):
        port = random.randrange(10000, 32000, 8)
        load = Load(3000, "-k", 4, "-u", ",".join(users), "-m", MODES, "-p", port, "-i",
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        pids = load.process.stdout.readline().strip().split(",")
        if len(pids) == 4:
            return load, pids, port
        load.process.communicate()
    raise Wrong("no free ports for the load")


def check(case, recorder, log, everything):
    rows = rows_of(recorder.trace)
    wanted = [row for row in compare.logged(log) if case.wants(row)]
    differences = compare.compare(wanted or compare.logged(log), rows, subset=not wanted)
    said = " ".join(map(str, case.options))
    pids = {row["pid"] for row in log}
    ours = [row for row in rows if row[PID] in pids]
    if differences or len(ours) != len(wanted):
        raise Wrong(f"{said}: {len(ours)} rows, not {len(wanted)}: {'; '.join(differences)}")
    again = [row for row in rows_of(everything, *case.options) if row[PID] in pids]
    expect(sorted(again) == sorted(ours),
           f"{said}: the reader shows {len(again)} rows, not {len(ours)}")
    # Other programs may connect meanwhile; each recorder sees its own part of that.
    others = [row for row in rows_of(everything) if row[PID] not in pids]
    seen, recorded, filtered, lost, _ = batches_of(recorder.trace)[-1].counters
    expect(seen == recorded + filtered + lost and lost == 0 and recorded == len(rows),
           f"{said}: seen {seen}, recorded {recorded}, filtered {filtered}, lost {lost}")
    exact = len(log) - len(wanted)
    expect(exact <= filtered <= exact + len(others), f"{said}: {filtered} filtered, not {exact}")


@test("-p -u -P -4 -6 with lists, ranges and !: the same rows in recorder and reader, exact counts")
def both_filter():
    name = "daemon"
    users = [fresh_uids(1)[0], str(pwd.getpwnam(name).pw_uid)]
    load, pids, port = start_load(users)
    recorders = []
    with contextlib.ExitStack() as stack:
        everything = stack.enter_context(Recorder("-B", "1M"))
        for case in cases(pids, users, name, port):
            recorders.append((case, stack.enter_context(Recorder("-B", "1M", *case.options))))
        load.process.stdin.close()
        load.process.stdin = None
        log = load.finish()
        for _, recorder in recorders:
            recorder.stop()
        everything.stop()
    expect({row["dport"] for row in log} == {str(port + i) for i in range(6)}, "other ports")
    for case, recorder in recorders:
        check(case, recorder, log, everything.trace)
