"""Real connects, recorded and shown: as a file, through a pipe, and by Wireshark's own capture."""
import os
import signal
import subprocess

from golden import batches, native, plugin, same_rows
from harness import (BUILD, PATIENCE, TOP, Recorder, Skip, blocks_of, connects, expect, fresh, fresh_uids,
                     read_quietly, run, test, wait_for)
from tshark import bare_home, environment, installed_home, late, reader_rows, rows

PACKET, CUSTOM = 6, 0xBAD


def need_a_backend():
    if run(BUILD / "tcpconnect-rec", "--list-backends").returncode:
        raise Skip("no backend can run here")


def recorded(*options, count=300):
    need_a_backend()
    uid = fresh_uids(1)[0]
    with Recorder("-u", uid, *options) as recorder:
        connects(count, "-u", uid, "-k", 3, "-m", "v4,v6,mapped,closed4")
        recorder.stop()
    return recorder.trace


@test("live: every row and field is that of the event")
def recording():
    trace = recorded()
    native(trace)
    plugin(trace, options=("-2",), late_results=late(trace))
    batches(trace)
    wanted = reader_rows(trace, "uid", "pid", "tid", "saddr", "lport", "daddr", "dport", "comm")
    got = rows(trace, "tcpconnect.uid", "tcpconnect.pid", "tcpconnect.tid", "ip.src", "ipv6.src", "tcp.srcport",
               "ip.dst", "ipv6.dst", "tcp.dstport", "tcpconnect.comm", show="tcp")
    same_rows("reader", [[v for values in row.values() for v in values] for row in got], wanted)
    expect(len(got) == 300, f"{len(got)} rows")
    checked = run("python3", TOP / "tests/decode.py", "--check", trace)
    expect(checked.returncode == 0, checked.stdout[:500])


@test("live: --no-packets leaves them out, and the trace is the same otherwise")
def no_packets():
    trace = recorded("--no-packets", count=20)
    expect(PACKET not in kinds(trace) and len(reader_rows(trace, "pid")) == 20, f"{kinds(trace)}")
    batches(trace)


@test("live: --live writes packets at once, records of a thousand events")
def few_records():
    need_a_backend()
    uid = fresh_uids(1)[0]
    with Recorder("-u", uid, "--live", "--flush-interval", 50) as recorder:
        connects(999, "-u", uid, "-m", "v4", "-r", 2000)
        wait_for(lambda: kinds(recorder.trace).count(PACKET) == 999, "packets")
        expect(CUSTOM not in kinds(recorder.trace), "a record came too early")
        connects(1501, "-u", uid, "-m", "v6", "-r", 2000)
        recorder.stop()
    found = kinds(recorder.trace)
    # Trace, batches of 1000 at least, what is left, summary.
    expect(found.count(PACKET) == 2500 and 4 <= found.count(CUSTOM) <= 5, f"{found.count(CUSTOM)} records")
    same_rows("reader", [[row["ipv6.src"] + row["ip.src"], row["tcp.srcport"], row["tcpconnect.number"]] for row in
                         rows(recorder.trace, "ip.src", "ipv6.src", "tcp.srcport", "tcpconnect.number", show="tcp")],
              [[[saddr], [lport], [str(i)]] for i, (saddr, lport) in
               enumerate(reader_rows(recorder.trace, "saddr", "lport"))])
    batches(recorder.trace)
    read_quietly("-r", recorder.trace)


def kinds(trace):
    return [block.type & 0xFFF for block in blocks_of(trace.read_bytes())]


def watch(viewer, shown, probe, uid):
    """Connects of uid appear while it runs; probe's only tell that recording has begun."""
    lines = lambda who: [line for line in shown.read_text().splitlines() if f" uid={who}" in line]

    def begun():
        expect(viewer.poll() is None, "the viewer ended")
        connects(1, "-u", probe, "-m", "v4")
        return lines(probe)

    wait_for(begun, "the recorder to begin")
    for total in range(1, 11):
        connects(1, "-u", uid, "-m", "v4")
        wait_for(lambda: len(lines(uid)) >= total, f"packet {total}: {shown.read_text()}")
    return lines(uid)


SHOW = ("-l", "-n", "-T", "fields", "-e", "tcp.dstport", "-e", "frame.comment")


@test("live: packets come through a pipe while it records")
def through_a_pipe():
    need_a_backend()
    probe, uid = fresh_uids(2)
    shown = fresh("shown")
    recorder = subprocess.Popen([BUILD / "tcpconnect-rec", "-q", "--live", "-u", f"{probe},{uid}", "-w", "-"],
                                stdout=subprocess.PIPE)
    with open(shown, "w") as out:
        viewer = subprocess.Popen(["tshark", "-r", "-", *SHOW], stdin=recorder.stdout, stdout=out,
                                  stderr=subprocess.DEVNULL, env=environment(bare_home()), cwd="/")
    try:
        expect(len(watch(viewer, shown, probe, uid)) == 10, shown.read_text())
        recorder.terminate()
        expect(recorder.wait(PATIENCE) == 0, "the recorder failed")
        viewer.wait(PATIENCE)
    finally:
        for process in (recorder, viewer):
            process.poll() is None and process.kill()


def extcap(*options, status=0):
    result = run(BUILD / "tcpconnect-rec", *options)
    expect(result.returncode == status, f"{options}: {result.returncode}: {result.stderr}")
    return result.stdout, result.stderr


@test("extcap: the questions have their answers")
def dialogue():
    said, _ = extcap("--extcap-interfaces", "--extcap-version=4.0")
    expect("interface {value=tcpconnect}{display=TCP connects of this host}" in said.splitlines(), said)
    said, _ = extcap("--extcap-dlts", "--extcap-interface", "tcpconnect")
    expect(said.startswith("dlt {number=101}"), said)
    said, _ = extcap("--extcap-config", "--extcap-interface=tcpconnect")
    calls = [line.split("{call=")[1].split("}")[0] for line in said.splitlines() if "{call=" in line]
    known = run(BUILD / "tcpconnect-rec", "--help").stdout
    expect(calls and all(f" {call}" in known for call in calls), f"{calls}")
    filter_ = ("--extcap-interface", "tcpconnect", "--extcap-capture-filter")
    expect(extcap(*filter_, "")[0] == "" and extcap(*filter_, "port 80")[0], "a capture filter is no good")
    for wrong in (("--extcap-dlts",), ("--extcap-dlts", "--extcap-interface", "eth0"),
                  ("--capture", "--extcap-interface", "tcpconnect"),
                  ("--capture", "--extcap-interface", "tcpconnect", "--fifo", "/nonexistent/fifo"),
                  ("--capture", "--extcap-interface", "tcpconnect", "--fifo", "x", "--extcap-capture-filter", "y")):
        said, why = extcap(*wrong, status=2)
        expect(not said and why.startswith("tcpconnect-rec: "), f"{wrong}: {said} {why}")


@test("extcap: tshark lists the host and captures it live, with filters")
def capture():
    need_a_backend()
    env, shown = environment(installed_home()), fresh("shown")
    listed = run("tshark", "-D", env=env, cwd="/").stdout
    expect("tcpconnect (TCP connects of this host)" in listed, listed)
    probe, uid, other = fresh_uids(3)
    said = fresh("stderr")
    with open(shown, "w") as out, open(said, "w") as err:
        viewer = subprocess.Popen(["tshark", "-i", "tcpconnect", "-o", f"extcap.tcpconnect.uid:{probe},{uid}", *SHOW],
                                  stdout=out, stderr=err, env=env, cwd="/")
    try:
        connects(3, "-u", other, "-m", "v4")
        expect(len(watch(viewer, shown, probe, uid)) == 10, shown.read_text())
        expect(f" uid={other}" not in shown.read_text(), "an attempt of another user")
        children = run("pgrep", "-P", viewer.pid).stdout.split()
        viewer.send_signal(signal.SIGINT)
        viewer.wait(PATIENCE)
    finally:
        viewer.poll() is None and viewer.kill()
    expect(children, "no recorder was started")
    expect("Error" not in said.read_text(), said.read_text())
    wait_for(lambda: not any(name_of(child) == "tcpconnect-rec" for child in children), "the end of the recorder")


@test("extcap: the recorder ends when nobody reads any more, though nothing happens")
def gone():
    need_a_backend()
    fifo = fresh("fifo")
    os.mkfifo(fifo)
    recorder = subprocess.Popen([BUILD / "tcpconnect-rec", "--capture", "--extcap-interface", "tcpconnect", "--fifo",
                                 fifo, "--pid", "1"], stderr=subprocess.PIPE, text=True)
    try:
        with open(fifo, "rb") as reader:
            reader.read(4)
        _, said = recorder.communicate(timeout=PATIENCE)
    finally:
        recorder.poll() is None and recorder.kill()
    expect(recorder.returncode == 0 and not said, f"{recorder.returncode}: {said}")


def name_of(pid):
    try:
        with open(f"/proc/{pid}/comm") as file:
            return file.read().strip()
    except OSError:
        return None
