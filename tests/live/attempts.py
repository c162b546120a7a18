"""Compares the log of tests/live/attempts with a trace: each attempt once, with the right process
and outcome. For tests/live and tests/vm."""
import csv
import re
from collections import defaultdict

COLUMNS = "pid,tid,uid,euid,ip,daddr,dport,flags,netns,returned,result"

SYNC = ("no free port", "no route", "no route v6", "unreachable route", "prohibited route",
        "mapped on an IPv6-only socket", "IPv6 switched off", "IPv6 switched off and no route",
        "refused by a cgroup", "refused by a cgroup v6", "refused by a cgroup mapped")
# Of these, a locked-down fentry cannot read the destination: it counts them as lost.
OUT_OF_REACH = ("refused by a cgroup v6", "refused by a cgroup mapped")
ANY = None


def read_log(text):
    return list(csv.DictReader(text.splitlines()))


def unknown(backend, kernel="", locked=False, plain=False):
    """plain: no BTF. What a backend cannot know of some cases: {(field, case): what stands there instead}, with case
    "" for every one. The reasons are in tcpconnect-rec(8), BACKENDS."""
    may = {}
    for case in ("io_uring worker", "io_uring poll thread"):
        may["tid", case] = ANY  # a thread of the kernel's for the process
    if backend == "cgroup":
        may["returned", ""] = ("-",)
        may["flags", ""] = ANY
        for case in SYNC:
            may["result", case] = ("failed",)
        if plain or kernel.startswith("5.10"):  # no errno without the tracepoint
            for case in ("blocking v4 closed", "blocking v6 closed", "mapped closed", "no answer",
                         "non-blocking closed", "again after a failure", "no neighbour", "given up"):
                may["result", case] = ("failed",)
    if kernel.startswith("5.10"):  # the subflows of MPTCP are the worker's
        may["pid", "MPTCP"] = may["tid", "MPTCP"] = may["flags", "MPTCP"] = ANY
    elif locked and backend == "fentry":  # whose they are must not be read: nobody's
        may["pid", "MPTCP"] = may["tid", "MPTCP"] = ("-", "0")
    return may


def flags_of(row):
    return set(filter(None, re.split(r"[+-]", row["flags"])))


def differs(call, row, may):
    """The fields of a call that the row has otherwise."""
    wrong = []
    for field in ("pid", "tid", "uid", "ip", "daddr", "returned", "result"):
        wanted, found = call[field], row[field]
        if field == "returned":
            wanted = {"ok": "0"}.get(wanted, wanted)
        allowed = may.get((field, call["case"]), may.get((field, ""), ()))
        if found != wanted and allowed is not ANY and found not in allowed:
            wrong.append(f"{field} {found}, not {wanted}")
    if call["euid"] != row["euid"] and row["euid"] != "-":
        wrong.append(f"euid {row['euid']}, not {call['euid']}")
    for flag in ("mapped", "nonblocking", "subflow"):
        known = flag == "mapped" or not {("flags", ""), ("flags", call["case"])} & may.keys()
        if known and (flag in call["flags"]) != (flag in flags_of(row)):
            wrong.append(f"flags {row['flags']}, not {call['flags'] or 'none'}")
    return wrong


def check(log, rows, backend, kernel="", locked=False, plain=False):
    """{case: what is wrong with it, "" if nothing}"""
    may = unknown(backend, kernel, locked, plain)
    calls, found = defaultdict(list), defaultdict(list)
    for call in log:
        calls[call["dport"], call["case"]].append(call)
    for row in rows:
        found[row["dport"]].append(row)
    verdict = {}
    for (port, case), expected in calls.items():
        lost = locked and backend == "fentry" and case in OUT_OF_REACH
        expected = [call for call in expected if call["ip"] and not lost]
        left = list(found[port])
        wrong = []
        for call in expected:
            best = min(left, key=lambda row: len(differs(call, row, may)), default=None)
            if best is None:
                wrong.append(f"not recorded ({call['result']})")
                continue
            left.remove(best)
            wrong += differs(call, best, may)
        wrong += [f"too many: {row['pid']} {row['result']} {row['flags']}" for row in left]
        verdict[case] = "; ".join(wrong)
    return verdict
