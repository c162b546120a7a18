"""Each trace that the tests before have left: read by an independent decoder and by other tools."""
import os
import re

from harness import BUILD, TOP, Skip, expect, need, run, test, traces

DECODED = "clock,host,uid,gid,pid,tid,ip,saddr,lport,daddr,dport,backend,comm,query_age,query"
DECODER = TOP / "tests/decode.py"


def each_trace():
    expect(traces, "no traces") # as when a single test was asked for
    return traces


@test("tests/decode.py, written from tcpconnect-trace(5), sees in each trace what the reader shows")
def decoded():
    if not DECODER.exists():
        raise Skip("tests/decode.py does not exist")
    for trace in each_trace():
        shown = run(BUILD / "tcpconnect-read", "-r", trace, "-o", DECODED,
                    env={**os.environ, "TZ": "UTC"})
        rows = [re.sub(" +", " ", line) for line in shown.stdout.splitlines()[1:]]
        other = run(DECODER, trace)
        expect(other.returncode == 0, f"decode.py: exit {other.returncode}: {other.stderr}")
        expect(other.stdout.splitlines() == rows, f"{trace}: {len(rows)} rows differ from those of "
               f"decode.py, {len(other.stdout.splitlines())}")


@test("each trace keeps to tcpconnect-trace(5) to the byte")
def checked():
    if not DECODER.exists():
        raise Skip("tests/decode.py does not exist")
    for trace in each_trace():
        result = run(DECODER, "--check", trace)
        expect(result.returncode == 0, f"{trace}: {result.stdout}{result.stderr}")


def accepted(*command):
    need(command[0])
    shown = 0
    for trace in each_trace():
        result = run(*[trace if part == "FILE" else part for part in command])
        # No complaints about the file: what tshark says to root, what tcpdump says it reads.
        said = [line for line in result.stderr.splitlines()
                if not re.match(r"Running as user|reading from file|Warning: interface names",
                                line)]
        expect(result.returncode == 0 and not said, f"{trace}: exit {result.returncode}: {said}")
        shown += len(result.stdout.splitlines())
    return shown


@test("tshark reads each trace without complaint")
def tshark():
    expect(accepted("tshark", "-r", "FILE") >= len(traces), "tshark shows nothing")


@test("capinfos reads each trace without complaint")
def capinfos():
    expect(accepted("capinfos", "FILE") >= len(traces), "capinfos shows nothing")


@test("tcpdump reads each trace without complaint")
def tcpdump():
    accepted("tcpdump", "-n", "-r", "FILE")
