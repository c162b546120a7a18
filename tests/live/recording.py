"""Every connect is in the trace, or counted as lost."""
import os
import re
import signal
import time
from collections import Counter

from harness import (BUILD, COMPARED, Recorder, batches_of, compare, connects, expect, fresh_uids,
                     read, rows_of, same, test, wait_for)

SEEN, RECORDED, FILTERED, LOST, PARTIAL = range(5)


def check_counters(recorder, counts, rows):
    """The last batch, the end line and the rows of the file agree."""
    last = batches_of(recorder.trace)[-1].counters
    expect(last[SEEN] == last[RECORDED] + last[FILTERED] + last[LOST],
           f"seen {last[SEEN]} is not recorded + filtered + lost {last[1:4]}")
    expect(counts == last[RECORDED:PARTIAL], f"end line {counts}, last batch {last}")
    expect(len(rows) == last[RECORDED], f"{last[RECORDED]} recorded, {len(rows)} rows")
    return last


def every_connect(count, modes, build=BUILD, recorder=None):
    first, second = fresh_uids(2)
    with Recorder(build=recorder or build) as recorder:
        log = connects(count, "-k", 4, "-u", f"{first},{second}", "-m", modes, build=build)
        now = recorder.counts_now()
        expect(now[SEEN] >= count and now[LOST] == 0, f"USR1 after {count} connects: {now}")
        expect(now[SEEN] >= sum(now[RECORDED:PARTIAL]), f"USR1: {now}")
        counts = recorder.stop()
    rows = rows_of(recorder.trace, build=build)
    same(log, rows)
    expect(len(log) == count, f"{len(log)} connects in the log")
    expect(Counter(row["uid"] for row in log).keys() == {first, second}, "not under two users")
    expect(len({row["pid"] for row in log}) == 4, "not by four processes")
    last = check_counters(recorder, counts, rows)
    expect(last[LOST] == last[PARTIAL] == 0, f"lost {last[LOST]}, partial {last[PARTIAL]}")


@test("20,000 connects of 4 processes under two users, v4 and v6: each one is in the trace")
def load_v4_v6():
    every_connect(20000, "v4,v6")


@test("20,000 connects, mapped and to closed ports: each one is in the trace")
def load_mapped_closed():
    every_connect(20000, "mapped,closed4,closed6,closedmapped")


@test("two places for attempts under way, taken by two CPUs at once: each one has its source and outcome")
def load_crowded():
    every_connect(20000, "v4,closed4,v6,closed6", recorder=BUILD / "crowded")


@test("connects of several threads in a process carry their thread's id and name")
def threads():
    with Recorder() as recorder:
        log = connects(1000, "-k", 2, "-t", 5, "-m", "v4,v6")
        recorder.stop()
    same(log, rows_of(recorder.trace))
    expect(len({row["tid"] for row in log}) == len({row["comm"] for row in log}) == 10,
           "not ten threads")


def without_source(row):
    """A row of the log or of the reader, without saddr and lport."""
    return row[:6] + row[8:]


def overflow(each, build=BUILD):
    """One load beside the recorder, one while it is stopped, so that loss is certain."""
    users = ",".join(fresh_uids(2))
    options = ("-k", 4, "-u", users, "-m", "v4,v6,closed4,closed6")
    with Recorder("-B", 4096, "-u", users, build=build) as recorder:
        log = connects(each, *options, build=build)
        recorder.send(signal.SIGSTOP)
        log += connects(each, *options, build=build)
        recorder.send(signal.SIGCONT)
        counts = recorder.stop(status=3)
    rows = rows_of(recorder.trace, status=3, build=build)
    last = check_counters(recorder, counts, rows)
    recorded, _, lost = counts
    print(f"-B 4096: {recorded} recorded, {lost} lost, {last[PARTIAL]} sources or outcomes")
    expect(recorded + lost == 2 * each, f"{recorded} recorded + {lost} lost, not {2 * each}")
    expect(recorded and lost, f"{recorded} recorded, {lost} lost: no overflow")
    # Rows are right even then, but for sources and outcomes that are said to be lost.
    partial = [row for row in rows if row[6] == "-"]
    results, _ = read("-q", "-r", recorder.trace, "-o", "saddr,result", status=3, build=build)
    pending = results.count("pending")
    expect(len(partial) <= last[PARTIAL] <= len(partial) + pending,
           f"{len(partial)} rows without source, {pending} pending, {last[PARTIAL]} counted")
    same(log, [row for row in rows if row[6] != "-"], subset=True)
    wrong = Counter(map(without_source, rows)) - Counter(map(without_source, compare.logged(log)))
    expect(not wrong, f"never logged: {list(wrong)[:3]}")
    _, stderr = read("-q", "-r", recorder.trace, status=3, build=build)
    said = f"tcpconnect-read: {recorder.trace}: {lost} events were lost while recording\n"
    expect(said in stderr, f"the reader does not say {said!r} but {stderr!r}")


@test("-B 4096: recorded + lost is exactly 20,000, recorder and reader say so and exit 3")
def tiny_buffer():
    overflow(10000)


@test("--print shows the rows that -w writes")
def print_too():
    uid = fresh_uids(1)[0]
    with Recorder("--print", "-u", uid) as recorder:
        log = connects(500, "-u", uid, "-m", "v4,v6,closed4")
        recorder.stop()
    shown, _ = read("-r", recorder.trace)
    expect(shown == recorder.stdout(), "printed and written rows differ")
    expect(len(shown.splitlines()) == 1 + len(log), f"{len(shown.splitlines())} lines")


@test("without -w the rows are printed")
def print_only():
    uid = fresh_uids(1)[0]
    with Recorder("-u", uid, "-o", COMPARED, trace=False) as recorder:
        log = connects(500, "-u", uid, "-k", 2, "-m", "v4,v6,closed6")
        counts = recorder.stop()
    same(log, compare.read_rows(recorder.stdout().splitlines()))
    expect(counts[0] == len(log), f"{counts[0]} counted")


@test("-n 5 records five and ends by itself")
def five_events():
    uid = fresh_uids(1)[0]
    with Recorder("-n", 5, "-u", uid) as recorder:
        log = connects(50, "-u", uid)
        status = recorder.wait()
    expect(status == 0, f"exit {status}: {recorder.stderr()}")
    rows = rows_of(recorder.trace)
    expect(len(rows) == 5, f"{len(rows)} rows")
    same(log, rows, subset=True)
    check_counters(recorder, recorder.last_counts(), rows)


@test("--duration 1 ends by itself after one second")
def duration():
    begin = time.monotonic()
    with Recorder("--duration", 1) as recorder:
        status = recorder.wait()
    expect(status == 0, f"exit {status}: {recorder.stderr()}")
    expect(time.monotonic() - begin >= 1, "ended too early")
    _, stderr = read("-v", "-r", recorder.trace)
    expect("closed in order" in stderr, stderr)


@test("an idle recorder sleeps")
def idle():
    uid = fresh_uids(1)[0]

    def switches():
        status = open(f"/proc/{recorder.pid}/status").read()
        return int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", status, re.M)[1])

    with Recorder("-u", uid) as recorder:
        connects(10, "-u", uid)
        wait_for(lambda: sum(b.events for b in batches_of(recorder.trace)) == 10, "the batch")
        time.sleep(0.5)
        before = switches()
        time.sleep(3)
        woke = switches() - before
        recorder.stop()
    print(f"idle for 3 s: {woke} wake-ups")
    expect(woke <= 3, f"{woke} wake-ups in 3 s without connects")


@test("a trace is of mode 0600, whatever the umask")
def private():
    old = os.umask(0)
    try:
        with Recorder() as recorder:
            recorder.stop()
    finally:
        os.umask(old)
    mode = recorder.trace.stat().st_mode & 0o777
    expect(mode == 0o600, f"mode {mode:o}")
