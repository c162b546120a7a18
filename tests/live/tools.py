"""The same trace on other ways: through pipes, in the other byte order, rewritten by tools."""
import re
import signal
import subprocess

import big_endian
from harness import (BUILD, COMPARED, PATIENCE, Recorder, blocks_of, compare, connects, expect,
                     fresh, fresh_uids, need, read, read_quietly, run, same, test, traces, wait_for)

_kept = {}


def sample():
    """One trace for all of these tests, its rows, its log, and a pcap of the same packets."""
    if not _kept:
        need("tcpdump")
        pcap, said = fresh("pcap"), fresh("stderr")
        uid = fresh_uids(1)[0]
        with open(said, "w") as err:
            sniffer = subprocess.Popen(["tcpdump", "-i", "lo", "-U", "-w", pcap, "tcp"], stderr=err)
        try:
            wait_for(lambda: "listening on" in said.read_text(), "tcpdump")
            with Recorder("-u", uid, "--flush-interval", 100) as recorder:
                log = connects(2000, "-u", uid, "-k", 2, "-m", "v4,v6,mapped,closed4", "-r", 4000)
                recorder.stop()
            wait_for(lambda: pcap.stat().st_size > 100000, "packets")
        finally:
            sniffer.send_signal(signal.SIGINT)
            sniffer.wait(PATIENCE)
        _kept.update(trace=recorder.trace, log=log, pcap=pcap,
                     rows=read_quietly("-r", recorder.trace, "-o", COMPARED))
        same(log, compare.read_rows(_kept["rows"].splitlines()))
    return _kept


def same_rows(name, *options, **popen):
    """The reader shows the rows of the sample, says nothing and exits 0."""
    rows = read_quietly("-r", name, "-o", COMPARED, *options, **popen)
    wanted = sample()["rows"]
    expect(rows == wanted, f"{name}: other rows, {len(rows.splitlines())} lines of "
           f"{len(wanted.splitlines())}")


def make(*command):
    """Runs a tool that writes a file; returns the file's name."""
    need(command[0])
    name = fresh("pcapng")
    result = run(*[name if part == "OUT" else part for part in command])
    expect(result.returncode == 0 and name.exists(), f"{command[0]}: {result.stderr}")
    return name


@test("the same rows through standard input, a file and a pipe")
def standard_input():
    trace = sample()["trace"]
    with open(trace, "rb") as file:
        same_rows("-", stdin=file)
    result = subprocess.run(f"cat {trace} | {BUILD}/tcpconnect-read -r - -o {COMPARED}", shell=True,
                            capture_output=True, text=True)
    expect(result.returncode == 0 and not result.stderr, f"{result.returncode}: {result.stderr}")
    expect(result.stdout == sample()["rows"], "other rows through a pipe")


@test("the same rows from a big-endian section")
def other_byte_order():
    turned = fresh("pcapng")
    turned.write_bytes(big_endian.convert(sample()["trace"].read_bytes()))
    expect(turned.read_bytes()[8:12] == b"\x1a\x2b\x3c\x4d", "not big-endian")
    same_rows(turned)
    with open(turned, "rb") as file:
        same_rows("-", stdin=file)
    # Wireshark's own reader tells whether the conversion is right.
    facts = [facts_of(name) for name in (sample()["trace"], turned)]
    expect(facts[0] == facts[1], f"capinfos: {facts}")


def facts_of(trace):
    need("capinfos", "tshark")
    infos = run("capinfos", trace).stdout.splitlines()
    kept = [line for line in infos if not re.match("File name|SHA|RIPEMD|MD5", line)]
    fields = run("tshark", "-r", trace, "-T", "fields", "-e", "frame.cb_pen", "-e", "frame.len")
    return kept, fields.stdout, fields.returncode


@test("sections of both byte orders in one file: the rows of both, copies once")
def both_orders():
    data = sample()["trace"].read_bytes()
    wanted = sample()["rows"].splitlines()
    both = fresh("pcapng")
    both.write_bytes(data + big_endian.convert(data))
    rows = read_quietly("-r", both, "-o", COMPARED).splitlines()
    expect(rows == wanted, f"{len(rows)} lines of copies")
    at = data.index(b"\x89TCPCON\n") + 24
    other = big_endian.convert(data).replace(data[at:at + 16], bytes(16))
    both.write_bytes(data + other)
    rows = read_quietly("-r", both, "-o", COMPARED).splitlines()
    expect(sorted(rows[1:]) == sorted(wanted[1:] * 2), f"{len(rows)} lines of two sessions")


@test("the same rows after mergecap, alone and with packets of tcpdump")
def mergecap():
    trace, pcap = sample()["trace"], sample()["pcap"]
    same_rows(make("mergecap", "-w", "OUT", trace))
    for files in ((trace, pcap), (pcap, trace)):
        merged = make("mergecap", "-w", "OUT", *files)
        # Packets and records are both in there.
        packets = run("tshark", "-r", merged, "-Y", "tcp.flags.syn == 1").stdout.splitlines()
        expect(len(packets) >= 2000, f"{len(packets)} packets in the merged file")
        same_rows(merged)


@test("the same rows after editcap, also of a merged file")
def editcap():
    same_rows(make("editcap", sample()["trace"], "OUT"))
    merged = make("mergecap", "-w", "OUT", sample()["trace"], sample()["pcap"])
    edited = make("editcap", merged, "OUT")
    same_rows(edited)
    # The summary, whose offsets would be wrong, is not copied.
    kinds = [block.kind for block in blocks_of(edited.read_bytes())]
    expect(3 not in kinds and 2 in kinds, f"kinds of records: {set(kinds)}")


@test("traces of two sessions merged by mergecap, and read together: the rows of both by time")
def two_sessions():
    uid = fresh_uids(1)[0]
    recorders, log = [], []
    for modes in ("v4", "v6"):
        with Recorder("-u", uid) as recorder:
            log += connects(300, "-u", uid, "-m", modes)
            recorder.stop()
        recorders.append(recorder)
    names = [recorder.trace for recorder in recorders]
    merged = read_quietly("-r", make("mergecap", "-w", "OUT", *names), "-o", COMPARED).splitlines()
    same(log, compare.read_rows(merged))
    together = read_quietly("-r", names[1], "-r", names[0], "-o", COMPARED).splitlines()
    expect(together == read_quietly("-r", names[0], "-o", COMPARED).splitlines()
           + read_quietly("-r", names[1], "-o", COMPARED).splitlines()[1:], "not by time")


@test("a pcapng of other programs: no rows, a clear word")
def foreign():
    other = make("editcap", "-F", "pcapng", sample()["pcap"], "OUT")
    stdout, stderr = read("-r", other)
    expect(stderr == f"tcpconnect-read: {other}: no records of tcpconnect-rec in it\n", stderr)
    expect(len(stdout.splitlines()) == 1, stdout)


@test("a trace without connects: no rows, a clear word")
def nothing_recorded():
    with Recorder("-u", fresh_uids(1)[0]) as recorder:
        recorder.stop()
    stdout, stderr = read("-r", recorder.trace)
    expect(stderr == f"tcpconnect-read: {recorder.trace}: no connect events in it\n", stderr)
    expect(len(stdout.splitlines()) == 1, stdout)
    expect(recorder.trace in traces, "not among the traces for the tools")
