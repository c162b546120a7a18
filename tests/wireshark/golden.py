"""The golden traces: every field of every event, hostile names, damage."""
import gzip
import re
import struct

import decode
from harness import BUILD, TOP, expect, fresh, need, read, run, test
from tshark import (column, environment, events, installed_home, late, one, reader_rows, readable, rows, tshark,
                    without_privilege)

TRACES = TOP / "tests/golden/traces"
WITH_PACKETS = [TRACES / f"packets{name}.pcapng" for name in ("", "-plain", "-hostile", "-extreme")]
WITH_PACKETS += [TRACES / "names.pcapng"]


def same_rows(what, got, wanted):
    expect(len(got) == len(wanted), f"{what}: {len(got)} rows, should be {len(wanted)}")
    for i, (row, right) in enumerate(zip(got, wanted)):
        expect(row == right, f"{what}: row {i} is {row}, should be {right}")


def seconds(wall):
    return f"{wall // 10**9}.{wall % 10**9:09}"


def time_of(text):
    """4.0 to 4.4 print an epoch time as it is, 4.6 may print a date: nanoseconds."""
    whole, _, part = text.partition(".")
    return int(whole) * 10**9 + int(part.ljust(9, "0"))


def native(trace):
    """What no plug-in is needed for."""
    got = rows(trace, "frame.time_epoch", "ip.src", "ipv6.src", "tcp.srcport", "ip.dst", "ipv6.dst",
               "tcp.dstport", "frame.p2p_dir", "tcp.flags", "ip.checksum.status", "tcp.checksum.status",
               "frame.packet_id", "frame.interface_name", show="tcp", plugin=False,
               options=("-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE"))
    wanted, found = [], events(trace)
    session = decode.unpack("<I", next(decode.records(trace.read_bytes(), None)).session, 0, "session")
    for event in found:
        v4 = len(event["daddr"]) == 4
        source = decode.address_text(event["saddr"] or bytes(len(event["daddr"])))
        wanted.append((max(event["wall"], 0), source, event["lport"], decode.address_text(event["daddr"]),
                       event["dport"], "0", 2, ["1"] if v4 else [], "1",
                       session << 32 | event["number"] & 0xFFFFFFFF, "tcpconnect"))
    same_rows(trace.name, [
        (time_of(row["frame.time_epoch"][0]), (row["ip.src"] + row["ipv6.src"])[0], int(row["tcp.srcport"][0]),
         (row["ip.dst"] + row["ipv6.dst"])[0], int(row["tcp.dstport"][0]), row["frame.p2p_dir"][0],
         int(row["tcp.flags"][0], 0), row["ip.checksum.status"], row["tcp.checksum.status"][0],
         int(row["frame.packet_id"][0]), row["frame.interface_name"][0]) for row in got], wanted)


PLUGIN = ("number", "comm", "pid", "tid", "uid", "user", "exe", "args", "container", "unit", "result", "error",
          "latency", "retransmits", "failed", "host", "query")


def plugin(trace, late_results={}, options=()):
    got = rows(trace, *(f"tcpconnect.{name}" for name in PLUGIN), show="tcp && tcpconnect", options=options)
    wanted = []
    for event in events(trace):
        result = decode.result(event) or late_results.get(event["number"])
        cut = "\\..." if event["process flags"] & 1 else ""
        words = event["args"].removesuffix(b"\0").split(b"\0") if event["args"] else []
        wanted.append({
            "number": one(event["number"]),
            "comm": one(column(event["comm"]) or None),
            "pid": one(event["pid"] or None), "tid": one(event["tid"]), "uid": one(event["uid"]),
            **{name: one(column(event[name]) or None) for name in ("user", "query", "exe", "container", "unit")},
            "args": one(" ".join(column(word) for word in words) + cut or None),
            "result": one(result),
            "failed": ["True"] if result not in (None, "ok") else [],
            "host": one(column(event["host"])),
        })
        if event["outcome"] in (1, 2, 3):
            wanted[-1].update(
                error=one(event["error"] if event["outcome"] == 2 and event["error"] else None),
                latency=[event["latency"] / 1000],
                retransmits=one(event["retransmits"] - 1 if event["retransmits"] > 1 else None))
    for row, right in zip(got, wanted):
        truth = {"1": "True", "0": "False"}
        row["tcpconnect.failed"] = [truth.get(text, text) for text in row["tcpconnect.failed"]]
        row["tcpconnect.latency"] = [float(text) for text in row["tcpconnect.latency"]]
        row["tcpconnect.args"] = [text.rstrip(" ") for text in row["tcpconnect.args"]]
        right["query"] = [text if len(text) <= 80 else text[:76] + "\\..." for text in right["query"]]
        right["args"] = [text.rstrip(" ") for text in right["args"]]
    same_rows(trace.name, [{name: row[f"tcpconnect.{name}"] for name in right} for row, right in zip(got, wanted)],
              wanted)


def batches(trace):
    """The events and processes inside batches."""
    names = ("number", "pid", "uid", "comm", "lport", "dport", "latency_us", "result", "flags", "net_ns", "tid")
    addresses = ("saddr", "saddr6", "daddr", "daddr6")
    texts = ("comm", "exe", "args", "cgroup", "user", "container", "unit")
    got = rows(trace, *(f"tcpconnect.event.{name}" for name in names + addresses),
               *(f"tcpconnect.process.{name}" for name in texts + ("pid",)),
               *(f"tcpconnect.batch.{name}" for name in ("host", "sequence", "lost")), show="tcpconnect.kind == 2")
    records = [r for r in decode.records(trace.read_bytes(), None) if r.kind == decode.BATCH]
    expect(len(got) == len(records), f"{trace.name}: {len(got)} batches of {len(records)}")
    for row, record in zip(got, records):
        found = list(record.events())
        values = {
            **{name: [str(e[name]) for e in found] for name in ("number", "pid", "uid", "tid", "flags", "dport")},
            "comm": [column(e["comm"]) for e in found],
            "lport": [str(e["lport"]) for e in found if e["lport"]],
            "latency_us": [str(e["latency"]) for e in found],
            "net_ns": [str(e["netns"]) for e in found if e["netns"]],
            "result": [decode.result(e) for e in found if decode.result(e)],
            **{end + suffix: [decode.address_text(e[end]) for e in found if e[end] and len(e[end]) == size]
               for end in ("saddr", "daddr") for suffix, size in (("", 4), ("6", 16))},
        }
        for name, wanted in values.items():
            expect(row[f"tcpconnect.event.{name}"] == wanted,
                   f"{trace.name}: event.{name} is {row[f'tcpconnect.event.{name}']}, should be {wanted}")
        for name in texts:
            wanted = [column(p[name]) for p in record.processes if p[name]]
            expect(row[f"tcpconnect.process.{name}"] == wanted,
                   f"{trace.name}: process.{name} is {row[f'tcpconnect.process.{name}']}, should be {wanted}")
        header = [row[f"tcpconnect.batch.{name}"][0] for name in ("host", "sequence", "lost")]
        expect(header == [column(record.host), str(record.sequence), str(record.counters[3])], f"header {header}")


for _trace in WITH_PACKETS:
    test(f"each event of {_trace.name} is a row, without a plug-in")(lambda t=_trace: native(t))
    test(f"the plug-in gives each row of {_trace.name} its fields")(lambda t=_trace: plugin(t))
    test(f"the plug-in shows the events and processes of the batches of {_trace.name}")(lambda t=_trace: batches(t))
for _name in ("plain", "details", "losses", "no-events"):
    test(f"the plug-in shows the batches of {_name}.pcapng, which has no packets")(
        lambda t=TRACES / f"{_name}.pcapng": batches(t))


@test("the plug-in shows the events of a finished file, whose columns are encoded")
def encoded():
    """As if it were not compressed, which Wireshark cannot undo before 4.4."""
    where = fresh("finished")
    where.mkdir()
    run(BUILD / "tests/bench/generate", where, "300", "1", "1")
    trace = next(where.glob("*.pcapng"))
    data = trace.read_bytes()
    record = next(r for r in decode.records(data, None) if r.kind == decode.BATCH)
    expect({2, 3, 4} <= {entry[2] for entry in record.directory}, f"columns {record.directory}")
    whole = bytearray(record.bytes)
    offset, = struct.unpack_from("<I", whole, 168)
    whole[offset:] = record.body
    struct.pack_into("<I", whole, 12, len(whole))
    struct.pack_into("<I", whole, 172, len(record.body))
    whole[182] = 0
    block = struct.pack("<I", decode.CUSTOM) + bytes(4) + data[record.block.offset + 8 : record.block.offset + 12] + whole
    block += bytes(-len(block) % 4) + bytes(4)
    struct.pack_into("<I", block := bytearray(block), 4, len(block))
    struct.pack_into("<I", block, len(block) - 4, len(block))
    plain = where / "plain.pcapng"
    plain.write_bytes(data[: record.block.offset] + block)
    batches(plain)


@test("the rows of the reader are those of tshark, with the fields of the plug-in")
def reader():
    for trace in WITH_PACKETS[:2]:
        columns = ("uid", "pid", "tid", "saddr", "lport", "daddr", "dport", "result", "comm")
        got = rows(trace, *(f"tcpconnect.{name}" for name in ("uid", "pid", "tid")), "ip.src", "ipv6.src",
                   "tcp.srcport", "ip.dst", "ipv6.dst", "tcp.dstport", "tcpconnect.result", "tcpconnect.comm",
                   show="tcp", options=("-2",))
        shown = [[values[0] if values else "" for values in row.values()] for row in got]
        ours = [[uid, pid, tid, "-" if s4 + s6 in ("0.0.0.0", "::") else s4 + s6, "-" if port == "0" else port,
                 d4 + d6, dport, result, comm]
                for uid, pid, tid, s4, s6, port, d4, d6, dport, result, comm in shown]
        read = reader_rows(trace, *columns)
        for row, right in zip(read, ours):
            # Readers that do not join late outcomes call them pending.
            row[7] = right[7] if row[7] == "pending" else row[7]
        same_rows(trace.name, ours, read)


@test("a filter of user and result shows these packets and nothing else")
def filters():
    trace = WITH_PACKETS[0]
    got = rows(trace, "tcpconnect.number", show='tcpconnect.uid == 1000 && tcpconnect.result == "ECONNREFUSED"')
    wanted = [str(e["number"]) for e in events(trace) if e["uid"] == 1000 and decode.result(e) == "ECONNREFUSED"]
    expect([row["tcpconnect.number"] for row in got] == [[number] for number in wanted] and wanted, f"{got}")
    got = rows(WITH_PACKETS[2], "tcpconnect.pid", show='tcpconnect.comm == "quo\\"te \'d,;"')
    expect([row["tcpconnect.pid"] for row in got] == [["2003"]], f"{got}")


@test("an outcome that came late is found once the file was read")
def late_outcomes():
    trace = WITH_PACKETS[0]
    expect(late(trace), "none in the trace")
    plugin(trace, late(trace), ("-2",))


@test("no golden trace makes the plug-in fail, and what is damaged is said")
def all_golden():
    for trace in sorted(TRACES.glob("*.pcapng*")):
        said = tshark(trace, "-V", status=None)
        lied = trace.name.startswith("lie-") and not trace.name.startswith("lie-block")
        # These lie where the plug-in, which does not join, need not look.
        if lied and not any(word in trace.name for word in ("compressed", "batch-header.")):
            expect("Expert Info (Error/Malformed)" in said, f"{trace.name}: no damage is said")


@test("a file that is compressed as a whole opens as it is, in the reader too")
def compressed():
    packed = fresh("pcapng.gz")
    packed.write_bytes(gzip.compress(WITH_PACKETS[0].read_bytes()))
    for whole, copy in ((WITH_PACKETS[0], packed), (TRACES / "plain.pcapng", TRACES / "plain.pcapng.zst")):
        expect(tshark(copy, "-V") == tshark(whole, "-V"), f"{copy.name}: tshark shows something else")
        expect(read("-j", "-r", copy) == read("-j", "-r", whole), f"{copy.name}: the reader shows something else")


def generated(*options):
    directory = fresh("directory")
    directory.mkdir()
    result = run(BUILD / "tests/bench/generate", directory, 9000, 1, 1, "packets", *options)
    expect(result.returncode == 0, result.stderr)
    (name,) = directory.iterdir()
    return name


@test("a file finished with --compress gzip opens as it is, at any place, in all of Wireshark's programs")
def finished_as_gzip():
    need("editcap", "reordercap", "mergecap")
    whole, packed = generated(), generated("gzip")
    expect(gzip.decompress(packed.read_bytes()) == whole.read_bytes(), "it becomes something else")
    for options in (), ("-2", "-T", "fields", "-e", "frame.time_epoch", "-e", "tcpconnect.comm"), ("-V", "-c", "50"):
        expect(tshark(packed, *options) == tshark(whole, *options), f"tshark {options} shows something else")
    said = run("capinfos", "-M", "-c", "-t", packed).stdout
    expect("gzip compressed" in said and re.search(r"packets: +9000$", said, re.M), said)
    # Joined it has each time twice: reordercap goes back and forth.
    joined = [fresh("pcapng"), fresh("pcapng")]
    for one, name in zip(joined, (whole, packed)):
        one.write_bytes(2 * name.read_bytes())
    for program, *options, files in (("editcap", "-r", "FILE", "OUT", "8990-9000", "17", "4000-4100", (whole, packed)),
                                     ("mergecap", "-w", "OUT", "FILE", "FILE", (whole, packed)),
                                     ("reordercap", "FILE", "OUT", joined)):
        made = []
        for name in files:
            out = fresh("pcapng")
            result = run(program, *[{"FILE": name, "OUT": out}.get(option, option) for option in options])
            expect(result.returncode == 0, f"{program}: {result.stderr}")
            made.append(tshark(out, "-t", "ud"))
        expect(made[0] == made[1] and made[0], f"{program} makes something else of it")


@test("trace and summary have their fields")
def other_records():
    trace = WITH_PACKETS[0]
    (row,) = rows(trace, "tcpconnect.trace.host", "tcpconnect.trace.kernel", "tcpconnect.trace.backend",
                  "tcpconnect.trace.file", show="tcpconnect.kind == 1")
    expect([value[0] for value in row.values()] == ["alpha", "Linux 6.1.0", "fentry", "1"], f"{row}")
    (row,) = rows(trace, "tcpconnect.summary.events", "tcpconnect.summary.batches", "tcpconnect.summary.seen",
                  show="tcpconnect.kind == 3")
    summary = next(r for r in decode.records(trace.read_bytes(), None) if r.kind == decode.SUMMARY)
    expect(row == {"tcpconnect.summary.events": [str(summary.count)],
                   "tcpconnect.summary.batches": [str(offset) for offset in summary.offsets],
                   "tcpconnect.summary.seen": [str(summary.counters[0])]}, f"{row}")


@test("the errnos of the plug-in are those of the reader")
def errnos():
    table = re.findall(r'\{(\d+), "(E\w+)"\}', (TOP / "formats/result.c").read_text())
    lua = (TOP / "formats/wireshark/tcpconnect.lua").read_text()
    ours = re.findall(r'\[(\d+)\] = "(E\w+)"', lua)
    expect(sorted(table) == sorted(ours) and table, f"{set(table) ^ set(ours)}")


@test("the plug-in knows every column of the format")
def all_columns():
    known = {int(c, 16) for c in re.findall(r"\[(0x0[0-9a-f]{3})\] = \{", (
        TOP / "formats/wireshark/tcpconnect.lua").read_text())}
    expect(known == set(decode.COLUMNS), f"{[hex(c) for c in known ^ set(decode.COLUMNS)]}")


@test("the profile has its columns and colors, without a complaint")
def profile():
    trace = readable(WITH_PACKETS[0])
    user = without_privilege()
    def shown(*options):
        result = run("tshark", "-n", "-C", "TCP connects", "-r", trace, *options,
                     env=environment(installed_home()), cwd="/", **user)
        said = [line for line in result.stderr.splitlines() if "Running as" not in line and line]
        expect(result.returncode == 0 and not said, f"{result.returncode}: {said}")
        return result.stdout.splitlines()

    refused = next(line for line in shown() if "ECONNREFUSED" in line)
    expect("/usr/bin/curl" in refused and "2026-11-23 10:45:00.001" in refused, refused)
    rules = shown("--color", "-T", "fields", "-e", "frame.coloring_rule.name")
    expect(rules[:7] == ["TCP connect established", "TCP connect failed", "TCP connect failed", "", "",
                         "TCP connect abandoned", "TCP connect record"], f"{rules}")
