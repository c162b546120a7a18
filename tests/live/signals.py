"""What ends a recorder, or makes it write, while connects go on; pipes that close."""
import signal
import subprocess
import time
from collections import defaultdict

from harness import (BUILD, COMPARED, PATIENCE, Load, Recorder, blocks_of, compare, connects,
                     expect, fresh_uids, read, rows_of, run, same, test, wait_for)
from recording import check_counters

RATE, COUNT = 2000, 8000  # four seconds of load, which would not fill one batch


def boot_ns():
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def over_before(log, moment):
    """The connects that had returned by then: their thread had gone on to the next one."""
    threads = defaultdict(list)
    for row in log:
        threads[row["tid"]].append(row)
    return [row for rows in threads.values() for row, following in zip(rows, rows[1:])
            if int(following["time_ns"]) < moment]


def send_under_load(recorder, number, seconds, uid):
    """Returns the moment just before the signal went out, and the load, which goes on."""
    load = Load(COUNT, "-k", 4, "-u", uid, "-m", "v4,v6,closed4", "-r", RATE)
    time.sleep(seconds)
    moment = boot_ns()
    recorder.send(number)
    return moment, load


def ends_by(number):
    uid = fresh_uids(1)[0]
    with Recorder("-u", uid) as recorder:
        moment, load = send_under_load(recorder, number, 1.5, uid)
        status = recorder.wait()
        log = load.finish()
    expect(status == 0, f"exit {status}: {recorder.stderr()}")
    rows = rows_of(recorder.trace)
    same(log, rows, subset=True)
    check_counters(recorder, recorder.last_counts(), rows)
    before = over_before(log, moment)
    expect(0 < len(before) < len(log), f"{len(before)} of {len(log)} before the signal")
    recorded = set(rows)
    missing = [row for row in before if log_row(row) not in recorded]
    expect(not missing, f"{len(missing)} of {len(before)} are missing, like {missing[:1]}")
    _, stderr = read("-v", "-r", recorder.trace)
    expect("closed in order" in stderr, f"the file is not closed: {stderr}")


def log_row(row):
    return compare.logged([row])[0]


@test("INT under load: what had connected before is in the file, which is closed in order")
def interrupted():
    ends_by(signal.SIGINT)


@test("TERM under load: what had connected before is in the file, which is closed in order")
def terminated():
    ends_by(signal.SIGTERM)


@test("TERM while connects come as fast as they can: what the kernel counted is all accounted for")
def terminated_in_a_rush():
    uid = fresh_uids(1)[0]
    with Recorder("-u", uid, "-B", "64M") as recorder:
        load = Load(100000, "-k", 4, "-u", uid, "-m", "v4,v6,closed4")
        wait_for(lambda: recorder.counts_now()[1] > 1000, "the load")
        counts = recorder.stop()
        log = load.finish()
    rows = rows_of(recorder.trace)
    same(log, rows, subset=True)
    expect(len(rows) < len(log), "the load had ended before the signal")
    check_counters(recorder, counts, rows)


@test("kill -9 under load: what was written is readable, at most the last second is missing")
def killed():
    uid = fresh_uids(1)[0]
    with Recorder("-u", uid) as recorder:
        moment, load = send_under_load(recorder, signal.SIGKILL, 3, uid)
        recorder.process.wait(PATIENCE)
        log = load.finish()
    data = recorder.trace.read_bytes()
    blocks = blocks_of(data)
    torn = blocks[-1].end != len(data)
    stdout, stderr = read("-r", recorder.trace, status=3 if torn else 0)
    expect(("the file ends after" in stderr) == torn, f"torn: {torn}, the reader says {stderr!r}")
    rows = rows_of(recorder.trace, status=3 if torn else 0)
    same(log, rows, subset=True)
    whole = sum(b.events for b in blocks if b.kind == 2)
    expect(len(rows) == whole, f"{whole} events in whole batches, {len(rows)} rows")
    recorded = set(rows)
    missing = [row for row in over_before(log, moment) if log_row(row) not in recorded]
    oldest = max(((moment - int(row["time_ns"])) / 1e9 for row in missing), default=0)
    print(f"kill -9: {len(rows)} rows, the oldest of {len(missing)} missing was {oldest:.3f} s old")
    expect(rows, "nothing was written in three seconds")
    # A second, what it takes to gather and write, and a machine that is busy otherwise.
    expect(oldest < 2, f"a connect is missing that was {oldest:.3f} s old")


@test("USR2 writes what is buffered while the recording goes on")
def flushed():
    uid = fresh_uids(1)[0]
    with Recorder("-u", uid, "--flush-interval", 3600000) as recorder:
        log = connects(100, "-u", uid, "-m", "v4,v6,closed4")
        expect(not rows_of(recorder.trace), "written before it was asked")
        recorder.send(signal.SIGUSR2)
        wait_for(lambda: len(rows_of(recorder.trace)) == 100, "the rows after USR2")
        same(log, rows_of(recorder.trace))
        log += connects(100, "-u", uid)
        recorder.stop()
    same(log, rows_of(recorder.trace))


@test("--unbuffered writes each connect at once")
def unbuffered():
    uid = fresh_uids(1)[0]
    with Recorder("-u", uid, "--unbuffered", "--flush-interval", 3600000) as recorder:
        log = connects(5, "-u", uid)
        wait_for(lambda: len(rows_of(recorder.trace)) == 5, "the rows")
        recorder.stop()
    same(log, rows_of(recorder.trace))


def pipeline(uid, *reader_options, build=BUILD):
    """tcpconnect-rec -w - | tcpconnect-read -r -; returns the reader and the recorder."""
    recorder = Recorder("-u", uid, "-w", "-", trace=False, stdout=subprocess.PIPE, build=build)
    reader = subprocess.Popen([build / "tcpconnect-read", "-r", "-", *reader_options],
                              stdin=recorder.process.stdout, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)
    recorder.process.stdout.close()
    return recorder, reader


@test("tcpconnect-rec -w - | tcpconnect-read -r -")
def piped():
    uid = fresh_uids(1)[0]
    recorder, reader = pipeline(uid, "-o", COMPARED)
    with recorder:
        wait_for(lambda: attached(recorder), "the recorder to attach")
        log = connects(2000, "-u", uid, "-m", "v4,v6")
        counts = recorder.stop()
        stdout, stderr = reader.communicate(timeout=PATIENCE)
    expect(reader.returncode == 0 and not stderr, f"reader: {reader.returncode}, {stderr}")
    same(log, compare.read_rows(stdout.splitlines()))
    expect(counts[0] == 2000, f"{counts} at the end")


def attached(recorder):
    """It answers USR1 only from its loop; blocked or not yet handled, the signal waits."""
    if recorder.stderr():
        return True
    status = open(f"/proc/{recorder.pid}/status").read()
    blocked = int(status.split("SigBlk:\t")[1].split()[0], 16)
    if blocked & 1 << signal.SIGUSR1 - 1:
        recorder.send(signal.SIGUSR1)
    return False


@test("-w - into a pipe that closes: the recorder says so and exits 1")
def write_to_closed_pipe():
    uid = fresh_uids(1)[0]
    recorder = Recorder("-u", uid, "-w", "-", trace=False, stdout=subprocess.PIPE)
    with recorder:
        recorder.process.stdout.read(16)
        recorder.process.stdout.close()
        connects(5, "-u", uid)
        status = recorder.wait()
    expect(status == 1, f"exit {status}")
    expect("tcpconnect-rec: -: cannot write: Broken pipe\n" in recorder.stderr(), recorder.stderr())


@test("printing into a pipe that closes ends the recorder quietly")
def print_to_closed_pipe():
    uid = fresh_uids(1)[0]
    recorder = Recorder("-u", uid, trace=False, stdout=subprocess.PIPE)
    with recorder:
        expect(recorder.process.stdout.readline().startswith(b"PID"), "no header")
        recorder.process.stdout.close()
        connects(5, "-u", uid)
        status = recorder.wait()
    expect(status == 0 and "cannot" not in recorder.stderr(), f"exit {status}: {recorder.stderr()}")


@test("--print into a pipe that closes: the recorder says so, the file is complete")
def print_too_to_closed_pipe():
    uid = fresh_uids(1)[0]
    recorder = Recorder("-u", uid, "--print", stdout=subprocess.PIPE)
    with recorder:
        expect(recorder.process.stdout.readline().startswith(b"PID"), "no header")
        recorder.process.stdout.close()
        log = connects(5, "-u", uid)
        wait_for(lambda: "recording goes on" in recorder.stderr(), "the message")
        log += connects(5, "-u", uid)
        recorder.stop()
    same(log, rows_of(recorder.trace))


@test("the reader ends quietly when its reader does, and says when it cannot write")
def reader_output():
    uid = fresh_uids(1)[0]
    with Recorder("-u", uid) as recorder:
        connects(5000, "-u", uid)
        recorder.stop()
    result = run("bash", "-c", f"{BUILD}/tcpconnect-read -r {recorder.trace} | head -1; "
                 "exit ${PIPESTATUS[0]}")
    expect(result.returncode == 128 + signal.SIGPIPE and not result.stderr,
           f"{result.returncode}: {result.stderr}")
    with open("/dev/full", "w") as full:
        _, stderr = read("-r", recorder.trace, status=1, capture_output=False, stdout=full,
                         stderr=subprocess.PIPE)
    expected = "tcpconnect-read: cannot write to standard output: No space left on device\n"
    expect(stderr == expected, stderr)


@test("a recorder whose disk is full says so and exits 1")
def disk_full():
    result = run(BUILD / "tcpconnect-rec", "--overwrite", "-w", "/dev/full", "--duration", 20)
    expect(result.returncode == 1, f"exit {result.returncode}")
    expect("tcpconnect-rec: /dev/full: cannot write: No space left on device\n" in result.stderr,
           result.stderr)
