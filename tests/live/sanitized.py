"""Both programs under the sanitizers, the reader under valgrind."""
import signal

import recording
from harness import (BUILD, COMPARED, SANITIZED, Recorder, compare, connects, expect, fresh_uids,
                     need, rows_of, run, same, test)


@test("sanitizers: each connect is in the trace")
def load():
    for modes in ("v4,v6", "mapped,closed4,closed6,closedmapped"):
        recording.every_connect(2000, modes, SANITIZED)


@test("sanitizers: recorded + lost is what there was when the buffer overflows")
def overflow():
    recording.overflow(1000, SANITIZED)


@test("sanitizers: filters, signals and --print")
def everything_else():
    uid = fresh_uids(1)[0]
    with Recorder("--print", "-o", COMPARED, "-u", f"{uid},daemon", "-P", "!80,443-445", "-p", "!1",
                  build=SANITIZED) as recorder:
        log = connects(300, "-u", uid, "-m", "v4,v6,closed4")
        recorder.counts_now()
        recorder.send(signal.SIGUSR2)
        log += connects(300, "-u", uid, "-t", 3)
        recorder.stop(number=signal.SIGINT)
    rows = rows_of(recorder.trace, "-u", uid, "-P", "!80", "-p", "!1", build=SANITIZED)
    same(log, rows)
    printed = compare.read_rows(recorder.stdout().splitlines())
    expect(printed == rows, "printed and written rows differ")


@test("sanitizers: what the recorder refuses")
def refused():
    for options in (["-p", "1,abc"], ["--backend", "magic"], ["-w", "/nonexistent/file"], ["-h"],
                    ["--list-backends"], ["-V"]):
        result = run(SANITIZED / "tcpconnect-rec", *options)
        expect(result.returncode in (0, 1, 2) and "Sanitizer" not in result.stderr,
               f"{options}: exit {result.returncode}: {result.stderr}")


@test("valgrind finds nothing in the reader")
def valgrind():
    need("valgrind")
    uid = fresh_uids(1)[0]
    with Recorder("-u", uid) as recorder:
        log = connects(300, "-u", uid, "-m", "v4,v6,closed4", "-t", 2)
        recorder.stop()
    result = run("valgrind", "-q", "--error-exitcode=99", "--leak-check=full",
                 BUILD / "tcpconnect-read", "-r", recorder.trace, "-o", COMPARED,
                 "-u", f"{uid},daemon")
    expect(result.returncode == 0, f"exit {result.returncode}: {result.stderr}")
    same(log, compare.read_rows(result.stdout.splitlines()))
