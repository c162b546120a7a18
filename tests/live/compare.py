#!/usr/bin/env python3
"""Compares the log of tests/live/connects with what the reader shows, one by one.

usage: compare.py LOG ROWS [--allow-missing N] [--subset]

ROWS is the output of `tcpconnect-read -r X -o pid,tid,uid,gid,comm,ip,saddr,lport,daddr,dport`.
Rows of processes that are not in the log are other programs' and ignored. Exits 0 if each connect
of the log is there exactly once with all its fields, and nothing else of its processes.
--allow-missing N: exactly N of the log are missing. --subset: any number may be missing.
"""
import argparse
import csv
import sys
from collections import Counter

FIELDS = ("pid", "tid", "uid", "gid", "comm", "ip", "saddr", "lport", "daddr", "dport")
SHOWN = 5


def read_log(name):
    with open(name, newline="") as file:
        return list(csv.DictReader(file))


def logged(rows):
    return [tuple(row[f] for f in FIELDS) for row in rows]


def read_rows(lines):
    """The rows of the reader; the header must be the one of FIELDS."""
    header, *rows = [tuple(line.split()) for line in lines] or [()]
    if header != tuple(f.upper() for f in FIELDS):
        raise SystemExit(f"compare: not the expected columns: {' '.join(header)}")
    return rows


def compare(log, rows, allow_missing=0, subset=False):
    """log, rows: lists of tuples of FIELDS. Returns the differences as lines, if any."""
    pids = {row[0] for row in log}
    ours = Counter(row for row in rows if row[0] in pids)
    wanted = Counter(log)
    missing, surplus = wanted - ours, ours - wanted
    differences = []
    if not log:
        differences.append("the log is empty")
    if not subset and missing.total() != allow_missing:
        differences.append(f"{missing.total()} of {len(log)} connects are missing, "
                           f"{allow_missing} expected")
        differences += [f"  missing {' '.join(row)}" for row in list(missing)[:SHOWN]]
    if surplus:
        differences.append(f"{surplus.total()} rows were never logged, or too often")
        differences += [f"  surplus {' '.join(row)}" for row in list(surplus)[:SHOWN]]
    return differences


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("log")
    parser.add_argument("rows")
    parser.add_argument("--allow-missing", type=int, default=0)
    parser.add_argument("--subset", action="store_true")
    arguments = parser.parse_args()
    log = logged(read_log(arguments.log))
    with open(arguments.rows) as file:
        rows = read_rows(file.read().splitlines())
    differences = compare(log, rows, arguments.allow_missing, arguments.subset)
    if differences:
        print("\n".join(differences))
        return 1
    print(f"{len(log)} connects compared, {len(rows)} rows")
    return 0


if __name__ == "__main__":
    sys.exit(main())
