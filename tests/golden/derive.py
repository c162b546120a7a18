#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Makes the golden traces that no writer of ours would write, from those that it does.

usage: derive.py DIRECTORY [--tools]

DIRECTORY holds what build/tests/golden/traces wrote. With --tools also those that mergecap and
editcap make: they name their version in the file, so that they are only made anew on request.
"""
import gzip
import struct
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import decode
from decode import BATCH, CUSTOM, CUSTOM_NOCOPY, INTERFACE, MAGIC, PACKET, SECTION, STATISTICS, TRACE

HERE = Path(sys.argv[1])
COLUMN_PROCESS, COLUMN_SADDR, COLUMN_DADDR, COLUMN_DPORT = 0x0102, 0x0104, 0x0105, 0x0107
COLUMN_UID, COLUMN_COMM, COLUMN_STRING_END = 0x0202, 0x0204, 0x0301


def fail(damage, offset):
    raise SystemExit(f"{offset}: {damage}")


def load(name):
    """[type, body] of each block."""
    return [[block.type, block.body] for block in decode.blocks((HERE / name).read_bytes(), fail)]


def join(blocks, order="<"):
    out = b""
    for type_, body in blocks:
        body += bytes(-len(body) % 4)
        length = struct.pack(order + "I", len(body) + 12)
        out += struct.pack(order + "I", type_) + length + body + length
    return out


def save(name, data):
    (HERE / name).write_bytes(data)


def kind(block):
    return block[1][12] if block[0] in (CUSTOM, CUSTOM_NOCOPY) and block[1][4:12] == MAGIC else None


def batches(blocks):
    return [i for i, block in enumerate(blocks) if kind(block) == BATCH]


def put(form, value, at):
    """A change of a record: value at that offset from its magic."""

    def change(record):
        struct.pack_into("<" + form, record, at, value)

    return change


def entry(column):
    """Offset of a column's entry in the directory of a batch."""

    def find(record):
        body, = struct.unpack_from("<I", record, 168)
        entries, = struct.unpack_from("<H", record, 180)
        for at in range(body, body + 16 * entries, 16):
            if struct.unpack_from("<H", record, at)[0] == column:
                return at
        raise SystemExit(f"no column {column:#x}")

    return find


def put_column(column, form, value, at):
    """A change of a column's entry: 0 id, 2 width, 3 encoding, 4 offset, 8 base."""
    return lambda record: struct.pack_into("<" + form, record, entry(column)(record) + at, value)


def changed(name, *changes, only=None):
    """The blocks of a trace with changes to its batches, or to the one numbered only."""
    blocks = load(name)
    for i, at in enumerate(batches(blocks)):
        if only is None or i == only:
            record = bytearray(blocks[at][1][4:])
            for change in changes:
                change(record)
            blocks[at][1] = blocks[at][1][:4] + bytes(record)
    return blocks


def big_endian(blocks):
    """The same blocks as a big-endian machine writes them; our records stay as they are."""

    def options(body, at, numbers):
        out = b""
        while at < len(body):
            code, length = struct.unpack_from("<HH", body, at)
            value = body[at + 4 : at + 4 + length]
            if code in numbers:
                value = struct.pack(">" + numbers[code], *struct.unpack("<" + numbers[code], value))
            out += struct.pack(">HH", code, length) + value + bytes(-length % 4)
            at += 4 + (length + 3) // 4 * 4
        return out

    swapped = []
    for type_, body in blocks:
        if type_ == SECTION:
            body = struct.pack(">IHHq", *struct.unpack_from("<IHHq", body)) + options(body, 16, {})
        elif type_ == INTERFACE:
            body = struct.pack(">HHI", *struct.unpack_from("<HHI", body)) + options(body, 8, {})
        elif type_ == STATISTICS:
            numbers = {2: "II", 3: "II", 4: "Q", 5: "Q", 6: "Q"}
            body = struct.pack(">III", *struct.unpack_from("<III", body)) + options(body, 12, numbers)
        else:
            body = body[:4][::-1] + body[4:]
        swapped.append([type_, body])
    return join(swapped, ">")


def packets():
    """A capture of one ping by somebody else."""
    packet = bytes.fromhex("4500001c000100004001 7cde 7f0000017f000001 0800f7ff00000000".replace(" ", ""))
    packet += bytes(-len(packet) % 4)
    return [
        [SECTION, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)],
        [INTERFACE, struct.pack("<HHI", 101, 0, 65535)],
        [6, struct.pack("<IIIII", 0, 0x60000, 0, len(packet), len(packet)) + packet],
    ]


def readable():
    plain, beta = load("plain.pcapng"), load("beta.pcapng")
    save("big-endian.pcapng", big_endian(plain))
    # Sections one behind the other: two sessions, of two byte orders, and a stranger's first.
    save("two-sections.pcapng", join(packets()) + join(plain) + big_endian(beta))
    # The blocks of two recordings in one section, in turn.
    mixed = [block for pair in zip(plain[3:], beta[3:]) for block in pair]
    save("two-sessions.pcapng", join(plain[:3] + beta[2:3] + mixed))
    only_batches = [plain[i] for i in batches(plain)]
    save("only-batches.pcapng", join(packets()[:1] + only_batches))
    # All in another order, but for the batches among themselves.
    save("reordered.pcapng", join(plain[:1] + plain[:5:-1] + only_batches + plain[2:0:-1]))
    for block in plain:
        if kind(block):
            block[1] = struct.pack("<I", 70000) + block[1][4:]
    save("other-number.pcapng", join(plain))
    blocks = load("plain.pcapng")
    blocks[-1][1] = blocks[-1][1][:-4] + bytes([blocks[-1][1][-4] ^ 1]) + blocks[-1][1][-3:]
    save("bad-checksum.pcapng", join(blocks))
    # As an option behind the record, for which the draft has room.
    blocks = load("plain.pcapng")
    for i in batches(blocks):
        blocks[i][1] += bytes(-len(blocks[i][1]) % 4) + struct.pack("<HH4sHH", 1, 4, b"note", 0, 0)
    save("options.pcapng", join(blocks))

    strange = [put_column(COLUMN_UID, "B", 1, 3), put_column(COLUMN_DPORT, "H", 0x01FF, 0)]
    save("unknown-columns.pcapng", join(changed("plain.pcapng", *strange)))
    save("version-1.7.pcapng", join(later_minor()))


def longer_header(record, more):
    """A header that is longer by more bytes: all references move."""
    length, header = struct.unpack_from("<II", record, 12)
    first = {TRACE: 64, BATCH: 144}[record[8]]
    for at in range(first, first + (48 if record[8] == TRACE else 32), 8):
        start, size = struct.unpack_from("<II", record, at)
        if size:
            struct.pack_into("<I", record, at, start + more)
    struct.pack_into("<II", record, 12, length + more, header + more)
    record[header:header] = b"\xa5" * more


def later_minor():
    """What a version 1.7 could write."""
    blocks = load("plain.pcapng")
    for block in blocks:
        if kind(block) in (TRACE, BATCH):
            record = bytearray(block[1][4 : 4 + struct.unpack_from("<I", block[1], 16)[0]])
            record[10], record[11] = 7, 1
            struct.pack_into("<I", record, 20, 0xDEADBEEF)
            if record[8] == BATCH:
                record[183] = 9
            longer_header(record, 24)
            block[1] = block[1][:4] + bytes(record)
    unknown = bytearray(blocks[2][1])
    unknown[12] = 9  # a new kind of record
    del blocks[-1]  # its offsets are of another file
    return blocks[:3] + [[CUSTOM, bytes(unknown)]] + blocks[3:]


def packets_that_lie():
    """The writer's packets, changed: a wrong checksum, a forged comment, one that is missing."""
    plain = load("packets.pcapng")
    first = next(i for i, block in enumerate(plain) if block[0] == PACKET)
    for name, change in (
            ("checksum", lambda body: body[:20 + 36] + b"\0\0" + body[20 + 38:]),
            ("comment", lambda body: body.replace(b"uid=1000", b"uid=1001"))):
        blocks = load("packets.pcapng")
        blocks[first][1] = change(blocks[first][1])
        save(f"packets-{name}.pcapng", join(blocks))
    save("packets-missing.pcapng", join(plain[:first] + plain[first + 1:]))


def torn():
    growing = (HERE / "growing.pcapng").read_bytes()
    last = growing.rindex(MAGIC) - 12
    save("torn-batch.pcapng", growing[: last + 300])
    save("torn-block-header.pcapng", growing[: last + 10])
    save("torn-section.pcapng", growing[:20])
    save("torn-interface.pcapng", growing[:140])
    plain = (HERE / "plain.pcapng").read_bytes()
    save("torn-summary.pcapng", plain[:-20])
    save("torn-between.pcapng", plain[: plain.rindex(MAGIC) - 12])
    save("damaged-middle.pcapng", resync(plain, 1, b"\x00" * 8))
    # The damaged block holds our magic as the name of a process.
    hostile = (HERE / "hostile.pcapng").read_bytes()
    save("damaged-magic.pcapng", resync(hostile, 0, b"\xff" * 8) + join(load("plain.pcapng")[3:]))


def resync(data, number, garbage):
    """The trace with garbage over the type and length of a batch."""
    found = [b.offset for b in decode.blocks(data, fail) if kind([b.type, b.body]) == BATCH]
    at = found[number]
    return data[:at] + garbage + data[at + len(garbage) :]


def lies():
    """Lengths and tables that do not fit, in the middle one of three batches."""

    def block_length(name, length, at_end=False):
        data = bytearray((HERE / "plain.pcapng").read_bytes())
        block = [b for b in decode.blocks(bytes(data), fail) if kind([b.type, b.body]) == BATCH][1]
        at = block.offset + (len(block.body) + 8 if at_end else 4)
        struct.pack_into("<I", data, at, length)
        save(f"lie-{name}.pcapng", bytes(data))

    block_length("block-short", 8)
    block_length("block-odd", 301)
    block_length("block-beyond", 0x00FFFFF0)
    block_length("block-huge", 0xFFFFFFF0)
    block_length("block-end", 304, at_end=True)

    def record(name, *changes):
        save(f"lie-{name}.pcapng", join(changed("plain.pcapng", *changes, only=1)))

    record("record-length", put("I", 0x7FFFFFFF, 12))
    record("header-length", put("I", 0x7FFFFFFF, 16))
    record("header-short", put("I", 39, 16))
    record("batch-header-short", put("I", 176, 16))
    record("host", put("I", 0xFFFFFFFF, 148))
    record("body", put("I", 0xFFFFFFF0, 168))
    record("directory", put("H", 65535, 180))
    record("compressed", put("B", 1, 182))
    record("rows", put("I", (1 << 24) + 1, 124))
    record("more-rows", put("I", 1 << 24, 124))
    record("width", put_column(COLUMN_DADDR, "B", 3, 2))
    record("column", put_column(COLUMN_DADDR, "I", 0xFFFFFFFF, 4))
    record("process", put_column(COLUMN_PROCESS, "Q", 3, 8))
    record("source", put_column(COLUMN_SADDR, "Q", 1 << 32, 8))
    record("destination", put_column(COLUMN_DADDR, "Q", (1 << 64) - 1, 8))
    record("comm", put_column(COLUMN_COMM, "Q", 4, 8))
    record("string", put_column(COLUMN_STRING_END, "Q", 0xFFFFFFFF, 8))

    # The ends of the strings in the wrong order.
    def swap(record):
        body, = struct.unpack_from("<I", record, 168)
        at = entry(COLUMN_STRING_END)(record)
        data = body + struct.unpack_from("<I", record, at + 4)[0]
        record[data], record[data + 1] = record[data + 1], record[data]

    record("string-order", swap)


def others():
    blocks = load("plain.pcapng")
    for block in blocks:
        if kind(block):
            block[1] = block[1][:13] + b"\x02" + block[1][14:]
    save("version-2.pcapng", join(blocks))
    blocks = load("plain.pcapng")
    del blocks[batches(blocks)[1]]
    save("gap.pcapng", join(blocks))
    save("foreign.pcapng", join(packets()))
    save("foreign.pcap", struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101))
    save("text.txt", b"1000   1234    curl            4  192.0.2.10\n")
    save("empty.pcapng", b"")
    save("plain.pcapng.gz", gzip.compress((HERE / "plain.pcapng").read_bytes(), mtime=0))
    plain = (HERE / "plain.pcapng").read_bytes()
    # RFC 8878: one frame of one raw block, so that it does not depend on a compressor.
    save("plain.pcapng.zst", b"\x28\xb5\x2f\xfd\x60" + struct.pack("<H", len(plain) - 256)
         + struct.pack("<I", 1 | len(plain) << 3)[:3] + plain)
    compressed = (HERE / "plain.pcapng.gz").read_bytes()
    save("torn.pcapng.gz", compressed[: len(compressed) * 2 // 3])
    damaged = bytearray(compressed)
    damaged[len(damaged) // 2] ^= 0xFF
    damaged[len(damaged) // 2 + 1] ^= 0xFF
    save("damaged.pcapng.gz", damaged)


def tools():
    run = lambda *command: subprocess.run([*command], cwd=HERE, check=True)
    run("mergecap", "-w", "mergecap.pcapng", "plain.pcapng", "beta.pcapng")
    run("mergecap", "-a", "-w", "mergecap-a.pcapng", "beta.pcapng", "plain.pcapng")
    run("editcap", "plain.pcapng", "editcap.pcapng")


readable()
packets_that_lie()
torn()
lies()
others()
if "--tools" in sys.argv:
    tools()
