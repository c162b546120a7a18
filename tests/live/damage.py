"""Files that are no trace, or no longer a whole one: what the reader says, shows and exits with."""
import concurrent.futures
import os
import random
import struct
import subprocess

from harness import (BUILD, PATIENCE, SANITIZED, Recorder, batches_of, blocks_of, compare, connects,
                     expect, fresh, fresh_uids, read, rows_of, run, same, scratch, test, wait_for)

CUT_BYTES = 2048


def unreadable(name, message, content=None):
    if content is not None:
        name.write_bytes(content)
    stdout, stderr = read("-r", name, status=1)
    expect(stderr == f"tcpconnect-read: {name}: {message}\n", f"{name}: {stderr}")
    expect(len(stdout.splitlines()) <= 1, f"{name}: rows: {stdout}")


@test("what is no trace is named with the reason, exit 1")
def not_a_trace():
    unreadable(scratch / "missing", "cannot open: No such file or directory")
    directory = fresh("directory")
    directory.mkdir()
    unreadable(directory, "no traces (*.pcapng) in this directory")
    unreadable(fresh("empty"), "the file is empty", b"")
    unreadable(fresh("text"), "not a pcapng file", b"192.0.2.1 connected\n")
    unreadable(fresh("short"), "not a pcapng file", b"\n")
    for magic in (0xa1b2c3d4, 0xa1b23c4d):
        for order in "<>":
            unreadable(fresh("pcap"), "a pcap file, not pcapng",
                       struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, 101))
    unreadable(fresh("gz"), "the gzip data end too early", b"\x1f\x8b\x08" + bytes(9))


@test("an unreadable file beside a good one: the rows of the good one, exit 3")
def one_of_two():
    trace, _ = unbuffered_trace(10)
    stdout, stderr = read("-r", trace, "-r", scratch / "missing", status=3)
    expect(stdout == read("-r", trace)[0], "other rows")
    expect("missing: cannot open: No such file or directory\n" in stderr, stderr)


def unbuffered_trace(count):
    """A trace with a batch for every one to three connects, and the log."""
    uid = fresh_uids(1)[0]
    log = []
    with Recorder("-u", uid, "--unbuffered", "--no-packets") as recorder:
        while len(log) < count:
            # A recorder that runs late puts what waits into one batch: no more than these.
            log += connects(min(3, count - len(log)), "-u", uid, "-m", "v4,v6,closed4")
            wait_for(lambda: sum(b.events for b in batches_of(recorder.trace)) == len(log), "a batch")
        recorder.stop()
    return recorder.trace, log


@test("a trace cut at each byte of its last batches, and at the ends of its summary: the rows of the whole batches, "
      "exit 3, no crash")
def cut_anywhere():
    trace, log = unbuffered_trace(40)
    data = trace.read_bytes()
    lines = read("-r", trace)[0].splitlines(keepends=True)
    blocks = blocks_of(data)
    expect(len(lines) == len(log) + 1 == sum(b.events for b in blocks if b.kind == 2) + 1, "rows")
    ends = {block.end for block in blocks}
    batches = [b for b in blocks if b.kind == 2 and b.events]
    summary = batches[-1].end
    kept = {}  # length of the file: how many rows remain

    for cut in [*range(batches[-3].offset, summary + CUT_BYTES), *range(len(data) - CUT_BYTES, len(data))]:
        kept[cut] = sum(b.events for b in batches if b.end <= cut)
    expect(len(set(kept.values())) == 4, "other batches than the last three")

    def check(cut, program=BUILD / "tcpconnect-read"):
        result = subprocess.run([program, "-r", "-"], input=data[:cut], capture_output=True)
        wanted = "".join(lines[:1 + kept[cut]]).encode()
        status = 0 if cut in ends else 3
        torn = b"" if cut in ends else b"the file ends after "
        said = result.stderr.decode()
        if result.stdout != wanted or result.returncode != status or torn not in result.stderr:
            return f"cut at {cut}: exit {result.returncode}, not {status}: {said}"
        if status == 3 and said.count("\n") != 1 or status == 0 and said:
            return f"cut at {cut}: {said}"
        return None

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        wrong = [text for text in pool.map(check, kept) if text]
    # The sanitizers take longer: some of the cuts.
    for cut in random.sample(sorted(kept), 60):
        wrong.append(check(cut, SANITIZED / "tcpconnect-read"))
    wrong = [text for text in wrong if text]
    expect(not wrong, f"{len(wrong)} cuts: {wrong[:3]}")


def trace_of_batches():
    """A trace of at least three batches, with events of several processes in each."""
    uid = fresh_uids(1)[0]
    with Recorder("-u", uid, "--flush-interval", 300) as recorder:
        for i in range(1, 4):
            connects(40, "-u", uid, "-k", 4, "-m", "v4,v6,closed4")
            wait_for(lambda: sum(b.events for b in batches_of(recorder.trace)) == 40 * i, "a batch")
        recorder.stop()
    return recorder.trace


def u16(value):
    return struct.pack("<H", value)


def u32(value):
    return struct.pack("<I", value)


def columns(data, block):
    """Of a batch: where the directory entry of each column stands in the file."""
    body = block.record + block.body
    (count,) = struct.unpack_from("<H", data, block.record + 180)
    return {struct.unpack_from("<H", data, body + 16 * i)[0]: body + 16 * i for i in range(count)}


def patches(data, block):
    """One batch made to lie: (name, offset, bytes, what the reader says of it)."""
    here, record = block.offset, block.record
    length = block.length
    payload = length - 16  # a block of ours has no padding but to a multiple of 4
    (recorded,) = struct.unpack_from("<I", data, record + 12)
    (header,) = struct.unpack_from("<I", data, record + 16)
    (body_length,) = struct.unpack_from("<I", data, record + 172)
    column = columns(data, block)
    event_time, process = column[0x0101], column[0x0102]
    saddr, daddr, comm, ends = column[0x0104], column[0x0105], column[0x0204], column[0x0301]
    text = column[0x0302]

    def always(value):
        """The rest of a column's entry, behind its number: each row has this value."""
        return struct.pack("<BBIQ", 0, 0, 0, value)

    return [
        ("block length 4", here + 4, u32(4), "block length 4 is less than 12"),
        ("block length + 1", here + 4, u32(length + 1),
         f"block length {length + 1} is not a multiple of 4"),
        ("block length of 4 GiB", here + 4, u32(0xfffffffc),
         "block length 4294967292 is more than 16777216"),
        ("block length - 4", here + 4, u32(length - 4),
         f"block length {length - 4}, but {last_word(data, here + length - 4)} at its end"),
        ("trailing length", here + length - 4, u32(length + 4),
         f"block length {length}, but {length + 4} at its end"),
        ("record length", record + 12, u32(payload + 1),
         f"record length {payload + 1}, its block holds {payload}"),
        ("record length 8", record + 12, u32(8), f"header length {header} in a record of 8 bytes"),
        ("header length 0", record + 16, u32(0),
         f"header length 0 in a record of {recorded} bytes"),
        ("header length", record + 16, u32(40), "batch header of 40 bytes, at least 192 expected"),
        ("major version", record + 9, b"\2", "format version 2.0, this program reads 1.x"),
        ("body beyond the record", record + 172, u32(recorded),
         f"body of {recorded} bytes at {block.body} is outside its record of {recorded} bytes"),
        ("body at 4 GiB", record + 168, u32(0xffffffff),
         f"body of {body_length} bytes at 4294967295 is outside its record of {recorded} bytes"),
        ("host name", record + 144, u32(0xfffffff0), "is outside its record"),
        ("backend", record + 156, u32(0xffffffff), "backend of 4294967295 bytes"),
        ("number of columns", record + 180, u16(65535),
         f"65535 columns do not fit into a body of {body_length} bytes"),
        ("number of events", record + 124, u32(0xffffffff), "table 1 of 4294967295 rows"),
        ("compression", record + 182, b"\7", "batch with compression 7, this version reads 0 and 1"),
        ("column width", event_time + 2, b"\3", "column 0x0101 has width 3"),
        ("column data", event_time + 2, b"\x08" + b"\0" + u32(0xfffffff0),
         "column 0x0101 is outside the body"),
        ("string bytes", text + 4, u32(body_length + 1),
         f"strings at {body_length + 1} are outside the body"),
        ("process", process + 2, always(1000), "process 1000 of row 0 is outside its table"),
        ("source address", saddr + 2, always(1000),
         "source address 1000 of row 0 is outside its table"),
        ("destination address", daddr + 2, always(0),
         "destination address 0 of row 0 is outside its table"),
        ("comm", comm + 2, always(1000), "comm 1000 of row 0 is outside its table"),
        ("end of a string", ends + 2, always(1 << 63), "string 0 ends outside the body"),
    ]


def last_word(data, end):
    return struct.unpack_from("<I", data, end - 4)[0]


@test("lengths that lie, tables that point outside: said with the offset, other batches shown")
def lying_batch():
    trace = trace_of_batches()
    data = trace.read_bytes()
    batches = [block for block in blocks_of(data) if block.kind == 2 and block.events]
    block = batches[1]
    before = batches[0].events
    lines = read("-r", trace)[0].splitlines(keepends=True)
    wanted = "".join(lines[:1 + before] + lines[1 + before + block.events:])
    wrong = []
    for program in (BUILD, SANITIZED):
        for name, offset, value, message in patches(data, block):
            bad = fresh("pcapng")
            bad.write_bytes(data[:offset] + value + data[offset + len(value):])
            result = run(program / "tcpconnect-read", "-r", bad)
            where = f"tcpconnect-read: {bad}: offset {block.offset}: "
            # Where the copy of the head shows it first.
            said = result.stderr.replace(f"{where}the summary at the end says otherwise of this batch\n", "", 1)
            missing = f"tcpconnect-read: {bad}: {block.events} events are missing from this file\n"
            if result.returncode != 3 or not said.startswith(where) or message not in said \
                    or missing not in said or said.count("\n") != 2:
                wrong.append(f"{name}: exit {result.returncode}: {said}")
            elif result.stdout != wanted:
                wrong.append(f"{name}: {len(result.stdout.splitlines()) - 1} rows")
    expect(not wrong, f"{len(wrong)} patches: {'; '.join(wrong[:4])}")


@test("a batch taken out of a trace: the reader says how many events are missing, exit 3")
def batch_removed():
    trace, log = unbuffered_trace(9)
    data = trace.read_bytes()
    block = [block for block in blocks_of(data) if block.kind == 2 and block.events][1]
    shorter = fresh("pcapng")
    shorter.write_bytes(data[:block.offset] + data[block.end:])
    rows = rows_of(shorter, status=3)
    same(log, rows, allow_missing=block.events)
    _, stderr = read("-r", shorter, status=3)
    expect(stderr == f"tcpconnect-read: {shorter}: {block.events} events are missing from this "
           "file\n", stderr)


@test("random bytes in a trace never crash the reader")
def random_damage():
    trace, _ = unbuffered_trace(30)
    data = trace.read_bytes()
    seed = int.from_bytes(os.urandom(4))
    chance = random.Random(seed)
    for _ in range(150):
        bad = bytearray(data)
        for _ in range(chance.randrange(1, 20)):
            bad[chance.randrange(len(bad))] = chance.randrange(256)
        # A damaged count may stand for millions of rows: they are read, but not printed.
        result = subprocess.run([SANITIZED / "tcpconnect-read", "-r", "-", "-P", "1"], input=bad,
                                capture_output=True, timeout=PATIENCE)
        expect(result.returncode in (0, 1, 3) and b"Sanitizer" not in result.stderr,
               f"seed {seed}: exit {result.returncode}: {result.stderr[:500]}")


@test("compare.py finds what is missing, doubled or changed")
def comparison():
    trace, log = unbuffered_trace(30)
    rows, wanted = rows_of(trace), compare.logged(log)
    expect(not compare.compare(wanted, rows), "differences in equal rows")
    expect(compare.compare(wanted, rows[1:]), "a missing row is not found")
    expect(not compare.compare(wanted, rows[1:], allow_missing=1), "one may be missing")
    expect(compare.compare(wanted, rows, allow_missing=1), "one must be missing")
    expect(compare.compare(wanted, rows + rows[:1]), "a double row is not found")
    expect(compare.compare([], rows), "an empty log is not found")
    for field in range(1, len(compare.FIELDS)):
        changed = rows[0][:field] + ("7",) + rows[0][field + 1:]
        name = compare.FIELDS[field]
        expect(compare.compare(wanted, [changed] + rows[1:]), f"{name} is not compared")
        expect(compare.compare(wanted, [changed] + rows[1:], subset=True), "subset takes anything")
