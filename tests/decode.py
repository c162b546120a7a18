#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A second reader of traces, written from tcpconnect-trace(5) alone.

usage: decode.py FILE            print the events in the order of the file
       decode.py --check FILE..  print each breach of the page by our recorder;
                                 several files are those of one session, in order

Prints `clock host uid gid pid tid ip saddr lport daddr dport backend comm query_age query'. Damage is said on
stderr. Exit: 0 all well, 1 damage or breaches.
"""
import ctypes
import re
import socket
import struct
import sys
import zlib
from datetime import datetime, timedelta

MAGIC = b"\x89TCPCON\n"
SECTION, INTERFACE, STATISTICS, PACKET, PROCESS = 0x0A0D0D0A, 1, 5, 6, 0x80000001
CUSTOM, CUSTOM_NOCOPY = 0x00000BAD, 0x40000BAD
TRACE, BATCH, SUMMARY = 1, 2, 3
HEADER = {TRACE: 112, BATCH: 224, SUMMARY: 152}
SHORTEST = {**HEADER, BATCH: 192, SUMMARY: 128}
WIDTHS = (0, 1, 2, 4, 8)
MAX_ROWS, MAX_PROCESSES = 1 << 24, 1 << 16
U32, U64 = (1 << 32) - 1, (1 << 64) - 1

# Columns: name, table, largest value that the field has room for.
COLUMNS = {
    0x0101: ("time", "event", U64),
    0x0102: ("process", "event", U32),
    0x0103: ("thread", "event", U32),
    0x0104: ("saddr", "event", U32),
    0x0105: ("daddr", "event", U32),
    0x0106: ("lport", "event", 0xFFFF),
    0x0107: ("dport", "event", 0xFFFF),
    0x0108: ("flags", "event", U32),
    0x0109: ("outcome", "event", 3),
    0x010A: ("error", "event", 0xFFFF),
    0x010B: ("latency", "event", U64),
    0x010C: ("retransmits", "event", U32),
    0x010D: ("returned", "event", 0xFFFF),
    0x010E: ("net namespace", "event", U32),
    0x010F: ("query", "event", U32),
    0x0110: ("answered", "event", U64),
    0x0201: ("pid", "process", U32),
    0x0202: ("uid", "process", U32),
    0x0203: ("gid", "process", U32),
    0x0204: ("comm", "process", U32),
    0x0205: ("euid", "process", 1 << 32),
    0x0206: ("egid", "process", 1 << 32),
    0x0207: ("loginuid", "process", 1 << 32),
    0x0208: ("audit session", "process", 1 << 32),
    0x0209: ("start", "process", U64),
    0x020A: ("parent", "process", U32),
    0x020B: ("ppid", "process", U32),
    0x020C: ("pid inside", "process", U32),
    0x020D: ("mount namespace", "process", U32),
    0x020E: ("pid namespace", "process", U32),
    0x020F: ("process flags", "process", U32),
    0x0210: ("exe", "process", U32),
    0x0211: ("args", "process", U32),
    0x0212: ("cgroup", "process", U32),
    0x0213: ("user", "process", U32),
    0x0214: ("container", "process", U32),
    0x0215: ("unit", "process", U32),
    0x0301: ("end", "string", U32),
    0x0302: ("bytes", None, 0xFF),
    0x0401: ("ipv4", "ipv4", U32),
    0x0501: ("high", "ipv6", U64),
    0x0502: ("low", "ipv6", U64),
    0x0601: ("late event", "late", U64),
    0x0602: ("late outcome", "late", 3),
    0x0603: ("late error", "late", 0xFFFF),
    0x0604: ("late latency", "late", U64),
    0x0605: ("late retransmits", "late", U32),
}
TEXTS = ("comm", "exe", "args", "cgroup", "user", "container", "unit")


class Damage(Exception):
    """What is wrong, and where in the file if that is not the block at hand."""

    def __init__(self, why, offset=None):
        super().__init__(why)
        self.offset = offset


zstd = ctypes.CDLL("libzstd.so.1")
zstd.ZSTD_decompress.restype = ctypes.c_size_t
zstd.ZSTD_decompress.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]


def decompress(body, length):
    if length > 1 << 24:
        raise Damage(f"body of {length} bytes")
    out = ctypes.create_string_buffer(max(length, 1))
    n = zstd.ZSTD_decompress(out, length, bytes(body), len(body))
    if n != length:
        raise Damage("the body cannot be decompressed to the length that is said")
    return out.raw[:length]


def unpack(form, data, offset, what):
    size = struct.calcsize(form)
    if offset + size > len(data):
        raise Damage(f"{what} needs {size} bytes at {offset}, there are {len(data)} in all")
    values = struct.unpack_from(form, data, offset)
    return values[0] if len(values) == 1 else values


class Block:
    def __init__(self, offset, type_, order, body):
        self.offset, self.type, self.order, self.body = offset, type_, order, body


def block_at(data, offset, order):
    """The block at offset, whole and well framed, or Damage."""
    if len(data) - offset < 12:
        raise Damage(f"torn: {len(data) - offset} bytes are not a block", offset)
    type_ = struct.unpack_from(order + "I", data, offset)[0]
    if type_ == SECTION:
        order = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}.get(data[offset + 8 : offset + 12])
        if not order:
            raise Damage("section header without byte-order magic", offset)
    length = struct.unpack_from(order + "I", data, offset + 4)[0]
    if length < (28 if type_ == SECTION else 12) or length % 4:
        raise Damage(f"impossible block length {length}", offset)
    if length > len(data) - offset:
        raise Damage(f"torn: block of {length} bytes, {len(data) - offset} are left", offset)
    if struct.unpack_from(order + "I", data, offset + length - 4)[0] != length:
        raise Damage("the lengths of a block differ", offset)
    if type_ == SECTION and struct.unpack_from(order + "H", data, offset + 12)[0] != 1:
        raise Damage("major version of pcapng is not 1", offset)
    return Block(offset, type_, order, data[offset + 8 : offset + length - 4])


def next_record(data, offset, order):
    """Offset of the next well-framed block that holds a record, behind damage."""
    while (offset := data.find(MAGIC, offset)) >= 0:
        try:
            if offset >= 12 and block_at(data, offset - 12, order).type in (CUSTOM, CUSTOM_NOCOPY):
                return offset - 12
        except Damage:
            pass
        offset += 1
    return None


def blocks(data, complain):
    if not data.startswith(b"\x0a\x0d\x0d\x0a"):
        raise Damage("not a pcapng file")
    offset, order = 0, "<"
    while offset < len(data):
        try:
            block = block_at(data, offset, order)
        except Damage as damage:
            complain(damage, offset)
            offset = next_record(data, offset + 13, order)
            if offset is None:
                return
            continue
        order = block.order
        yield block
        offset += len(block.body) + 12


def may_hold(skip, value):
    """Whether a summary for skipping says that the value may be there."""
    if len(skip) < 8:
        return True
    bits, each, first = unpack("<I2B", skip, 0, "summary for skipping")
    if not bits or bits % 8 or bits // 8 > len(skip) - 8:
        return True
    h = 14695981039346656037
    for byte in value:
        h = (h ^ byte) * 1099511628211 & U64
    h = (h ^ h >> 33) * 0xFF51AFD7ED558CCD & U64
    h = (h ^ h >> 33) * 0xC4CEB9FE1A85EC53 & U64
    h ^= h >> 33
    set_bits = [((h + i * (h >> 32 | 1)) & U32) * bits >> 32 for i in range(first, first + each)]
    return all(skip[8 + b // 8] >> b % 8 & 1 for b in set_bits)


def is_width(width, encoding):
    if encoding == 3:
        return 1 <= width <= 64
    return width % 8 and width < 64 if encoding == 4 else width in WIDTHS


def part_length(bits, rows):
    return -(-rows * bits // 128) * 16


def length_of(width, encoding, rows):
    """Bytes of a column in the body."""
    if encoding < 3:
        return width * rows
    palette = 8 << width % 8 if encoding == 4 else 0
    return palette + width // 8 * rows + sum(part_length(n, rows) for n in (4, 2, 1) if width & n)


class Record:
    """What all records begin with; a known kind of a known major version has its fields."""

    def __init__(self, block):
        self.block = block
        self.pen = unpack(block.order + "I", block.body, 0, "enterprise number")
        payload = block.body[4:]
        self.kind, self.major, self.minor, self.zero11 = unpack("<4B", payload, 8, "record")
        self.known = self.major == 1 and self.kind in HEADER
        if self.major != 1:
            raise Damage(f"format version {self.major}.{self.minor}, this reader knows 1.x")
        self.length, self.header, self.zero20 = unpack("<3I", payload, 12, "record")
        if self.length > len(payload):
            raise Damage(f"record of {self.length} bytes in a payload of {len(payload)}")
        self.bytes, self.rest = payload[: self.length], payload[self.length :]
        if self.header > self.length or self.header < SHORTEST.get(self.kind, 40):
            raise Damage(f"header of {self.header} bytes in a record of {self.length}")
        self.session = self.bytes[24:40]
        self.references = []
        if self.known:
            {TRACE: self.trace, BATCH: self.batch, SUMMARY: self.summary}[self.kind]()

    def reference(self, offset):
        start, length = unpack("<2I", self.bytes, offset, "reference")
        if length and start + length > self.length:
            raise Damage(f"reference at {offset} leaves the record: {start} + {length} > {self.length}")
        self.references.append((offset, start, length))
        return self.bytes[start : start + length] if length else b""

    def trace(self):
        self.file, self.zero44 = unpack("<2I", self.bytes, 40, "trace")
        self.boot, self.wall = unpack("<Qq", self.bytes, 48, "trace")
        self.texts = {
            name: self.reference(64 + 8 * i)
            for i, name in enumerate(("host", "boot id", "kernel", "recorder", "backend", "filters"))
        }

    def batch(self):
        get = lambda form, offset: unpack("<" + form, self.bytes, offset, "batch")
        self.sequence, self.boot, self.wall, self.first, self.last = get("QQqQQ", 40)
        self.counters = get("5Q", 80)
        self.file, *rows = get("6I", 120)
        self.rows = dict(zip(("event", "process", "string", "ipv4", "ipv6"), rows))
        self.rows["late"] = get("I", 184)
        for table, n in self.rows.items():
            if n > (MAX_PROCESSES if table == "process" else MAX_ROWS):
                raise Damage(f"{n} rows in the {table} table")
        self.host, self.backend, self.skip, self.body = (self.reference(o) for o in range(144, 176, 8))
        self.plain_length, entries, self.compression, self.zero183 = get("IHBB", 176)
        if self.compression not in (0, 1):
            raise Damage(f"compression {self.compression}")
        if self.compression:
            self.body = decompress(self.body, self.plain_length)
        self.dropped, self.gap_from, self.gap_to, self.reason = (0, 0, 0, 0)
        if self.header >= 224:
            self.dropped, self.gap_from, self.gap_to, self.reason = get("3QB", 192)
        if 16 * entries > len(self.body):
            raise Damage(f"directory of {entries} columns in a body of {len(self.body)} bytes")
        self.directory = [struct.unpack_from("<HBBIQ", self.body, 16 * i) for i in range(entries)]
        self.columns, self.encoded = {}, {}
        for column, width, encoding, offset, base in self.directory:
            if column not in COLUMNS or encoding > (4 if COLUMNS[column][1] == "event" else 0):
                continue
            name, table, _ = COLUMNS[column]
            if not is_width(width, encoding):
                raise Damage(f"column {name}: width {width}")
            if width and table and offset + length_of(width, encoding, self.rows[table]) > len(self.body):
                raise Damage(f"column {name} leaves the body")
            self.columns[name] = (width, offset, base)
            if encoding and self.rows[table] > 65536:
                raise Damage(f"column {name} is encoded, of {self.rows[table]} rows")
            if encoding:
                self.encoded[name] = self.expand(width, encoding, offset, base, self.rows[table])
        if self.rows["string"]:
            size = self.value("end", self.rows["string"] - 1)
            if size and ("bytes" not in self.columns or self.columns["bytes"][1] + size > len(self.body)):
                raise Damage(f"{size} bytes of strings leave the body")

    def expand(self, width, encoding, offset, base, rows):
        """The values of a column whose bytes stand apart, or of one of steps."""
        bits = width if encoding > 2 else 8 * width
        palette = [0]
        if encoding == 4:
            palette = struct.unpack_from(f"<{1 << bits % 8}Q", self.body, offset)
            offset += 8 * len(palette)
        planes = [self.body[offset + k * rows : offset + (k + 1) * rows] for k in range(bits // 8)]
        values = [base + int.from_bytes(bytes(plane[row] for plane in planes), "little") & U64 for row in range(rows)]
        highest = self.parts(bits % 8, offset + bits // 8 * rows, rows)
        for row in range(rows):
            more = palette[highest[row]] if encoding == 4 else highest[row] << bits // 8 * 8
            values[row] = values[row] + more & U64
        for row in range(1, rows if encoding == 2 else 0):
            values[row] = values[row - 1] + values[row] & U64
        return values

    def parts(self, bits, offset, rows):
        """Integers of less than 8 bits, which stand in parts of 4, 2 and 1 bits."""
        values, shift = [0] * rows, 0
        for n in (4, 2, 1):
            if not bits & n:
                continue
            each = 128 // n
            for row in range(rows):
                byte = self.body[offset + row // each * 16 + row % 16]
                values[row] |= (byte >> row % each // 16 * n & (1 << n) - 1) << shift
            offset += part_length(n, rows)
            shift += n
        return values

    def value(self, name, row):
        if name in self.encoded:
            return self.encoded[name][row]
        width, offset, base = self.columns.get(name, (0, 0, 0))
        start = offset + row * width
        return base + int.from_bytes(self.body[start : start + width], "little") & U64

    def string(self, row):
        start, end = self.value("end", row - 1) if row else 0, self.value("end", row)
        offset = self.columns["bytes"][1] if end else 0
        return self.body[offset + start : offset + end]

    def text(self, name, row):
        return self.string(self.value(name, row) - 1) if self.value(name, row) else b""

    def address(self, value):
        """None, or the bytes of an address."""
        n4, n6 = self.rows["ipv4"], self.rows["ipv6"]
        if value == 0:
            return None
        if value <= n4:
            return struct.pack(">I", self.value("ipv4", value - 1) & U32)
        row = value - 1 - n4
        if row >= n6:
            raise Damage(f"address {value}, the tables have {n4} + {n6}")
        return struct.pack(">QQ", self.value("high", row), self.value("low", row))

    def validate(self):
        """Every index inside its table, so that a batch is used whole or not at all."""
        end = 0
        for i in range(self.rows["string"]):
            if self.value("end", i) < end:
                raise Damage(f"string {i} ends before the one before")
            end = self.value("end", i)
        for i in range(self.rows["process"]):
            for name in TEXTS:
                if self.value(name, i) > self.rows["string"]:
                    raise Damage(f"process {i}: {name} {self.value(name, i)} of {self.rows['string']}")
            if self.value("parent", i) > i:
                raise Damage(f"process {i}: parent {self.value('parent', i)}")
        for i in range(self.rows["event"]):
            if self.value("process", i) >= self.rows["process"]:
                raise Damage(f"event {i}: process {self.value('process', i)} of {self.rows['process']}")
            self.address(self.value("saddr", i))
            if self.address(self.value("daddr", i)) is None:
                raise Damage(f"event {i} without a destination")
            if self.value("query", i) > self.rows["string"]:
                raise Damage(f"event {i}: query {self.value('query', i)} of {self.rows['string']}")

    def process(self, row):
        number = lambda name: self.value(name, row) & U32
        id_ = lambda name: (self.value(name, row) - 1) & U32 if self.value(name, row) else None
        text = lambda name: self.text(name, row)
        return {
            **{name: number(name) for name in ("pid", "uid", "gid", "ppid", "pid inside", "mount namespace",
                                           "pid namespace", "process flags")},
            **{name: id_(name) for name in ("euid", "egid", "loginuid", "audit session")},
            **{name: text(name) for name in TEXTS},
            "start": self.value("start", row),
            "parent": self.value("parent", row),  # 0, or the row plus 1
        }

    def events(self):
        self.validate()
        self.processes = [self.process(row) for row in range(self.rows["process"])]
        for row in range(self.rows["event"]):
            process = self.processes[self.value("process", row)]
            boot = self.first + self.value("time", row) & U64
            yield {
                **process,
                "number": self.sequence + row & U64,
                "boot": boot,
                "wall": signed(self.wall + boot - self.boot),
                "host": self.host,
                "tid": self.value("thread", row) + process["pid"] & U32,
                "flags": self.value("flags", row) & U32,
                "returned": self.value("returned", row) & 0xFFFF,
                "netns": self.value("net namespace", row) & U32,
                "saddr": self.address(self.value("saddr", row)),
                "lport": self.value("lport", row) & 0xFFFF,
                "daddr": self.address(self.value("daddr", row)),
                "dport": self.value("dport", row) & 0xFFFF,
                "backend": self.backend,
                "outcome": self.value("outcome", row) & 0xFF,
                "error": self.value("error", row) & 0xFFFF,
                "latency": self.value("latency", row),
                "retransmits": self.value("retransmits", row) & U32,
                "query": self.text("query", row),
                "answered": self.value("answered", row),
            }

    def skipped_by(self):
        """The values that the summary for skipping is made of."""
        values = set()
        for event in self.events():
            values |= {b"\1" + struct.pack("<I", event["pid"]), b"\2" + struct.pack("<I", event["uid"]),
                       b"\3" + struct.pack("<H", event["dport"])}
            if event["comm"]:
                values.add(b"\4" + event["comm"])
        for number in range(1, 1 + self.rows["ipv4"] + self.rows["ipv6"]):
            address = self.address(number)
            kind, prefixes = (5, (8, 16, 24, 32)) if len(address) == 4 else (6, (32, 48, 64, 128))
            for bits in prefixes:
                values.add(bytes((kind, bits)) + address[: bits // 8].ljust(len(address), b"\0"))
        return values

    def late(self):
        """{number of an event: what became of it}"""
        return {
            self.value("late event", row): {
                "outcome": self.value("late outcome", row) & 0xFF,
                "error": self.value("late error", row) & 0xFFFF,
                "latency": self.value("late latency", row),
                "retransmits": self.value("late retransmits", row) & U32,
            }
            for row in range(self.rows["late"])
        }

    def summary(self):
        self.own, self.first, self.last, self.count = unpack("<QqqQ", self.bytes, 40, "summary")
        self.counters = unpack("<5Q", self.bytes, 72, "summary")
        self.file, self.crc = unpack("<2I", self.bytes, 112, "summary")
        offsets = self.reference(120)
        if len(offsets) % 8:
            raise Damage(f"{len(offsets)} bytes of offsets are not a multiple of 8")
        self.offsets = [o for (o,) in struct.iter_unpack("<Q", offsets)]
        self.heads, self.skip, self.batches = [], b"", None
        if self.header < 152:
            return
        heads, self.skip = self.reference(128), self.reference(136)
        (self.batches,) = struct.unpack_from("<Q", self.bytes, 144)
        at = 0
        while at < len(heads):
            length = unpack("<I", heads, at + 16, "head")
            if length < SHORTEST[BATCH] or length > len(heads) - at:
                raise Damage(f"head of {length} bytes")
            self.heads.append(self.head(self.references[-2][1] + at, length))
            at += length

    def head(self, at, length):
        """The header of a batch, and the name of the host and the backend."""
        names = []
        for reference in (144, 152):
            start, size = unpack("<2I", self.bytes, at + reference, "reference")
            if size and at + start + size > self.length:
                raise Damage(f"reference of the head at {at} leaves the record")
            names.append(self.bytes[at + start : at + start + size] if size else b"")
        return self.bytes[at : at + length], *names


def signed(value):
    value &= U64
    return value - (1 << 64) if value >> 63 else value


def records(data, complain):
    """The records of a file; damage goes to complain(damage, offset of the block)."""
    for block in blocks(data, complain):
        if block.type in (CUSTOM, CUSTOM_NOCOPY) and block.body[4:12] == MAGIC:
            try:
                yield Record(block)
            except Damage as damage:
                complain(damage, block.offset)


def clock(wall):
    time = datetime(1970, 1, 1) + timedelta(microseconds=wall // 1000)
    return time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


# Invisible characters and those that turn the direction of the line.
HIDDEN = ((0x00, 0x1F), (0x7F, 0x9F), (0xAD, 0xAD), (0x61C, 0x61C), (0x180E, 0x180E), (0x200B, 0x200F),
          (0x2028, 0x202E), (0x2060, 0x206F), (0xFEFF, 0xFEFF), (0xFFF9, 0xFFFB), (0xE0000, 0xE0FFF),
          (0xD800, 0xDFFF))  # the last: what surrogateescape makes of bytes that are not UTF-8


def escape(text):
    """Printable text stays, other bytes become \\xNN, also a space at either end; \\ is doubled."""
    if not text:
        return "-"
    characters = text.decode("utf-8", "surrogateescape")
    out = ""
    for i, c in enumerate(characters):
        edge = c == " " and i in (0, len(characters) - 1)
        if c == "\\":
            out += "\\\\"
        elif edge or any(low <= ord(c) <= high for low, high in HIDDEN):
            out += "".join(f"\\x{b:02x}" for b in c.encode("utf-8", "surrogateescape"))
        else:
            out += c
    return out


def address_text(address):
    if address is None:
        return "-"
    return socket.inet_ntop(socket.AF_INET if len(address) == 4 else socket.AF_INET6, address)


def thousandths(number):
    return f"{number // 1000}.{number % 1000:03d}"


def query(event):
    """The name, and the age of its answer, as columns show them."""
    if not event["query"]:
        local = event["daddr"] in (b"\x7f\0\0\1", bytes(15) + b"\1")
        return "-", "-" if not event["answered"] else "localhost" if local else "No DNS Query"
    name = escape(event["query"][:255])
    if event["answered"] < 2:
        return "-", name
    age = thousandths(event["answered"] - 2)
    return age, f"{name} ({age}ms)" if event["answered"] - 2 > 100000 else name


def row(event):
    return " ".join((
        clock(event["wall"]),
        escape(event["host"]),
        str(event["uid"]),
        str(event["gid"]),
        str(event["pid"] or "-"),
        str(event["tid"]),
        "4" if len(event["daddr"]) == 4 else "6",
        address_text(event["saddr"]),
        str(event["lport"] or "-"),
        address_text(event["daddr"]),
        str(event["dport"]),
        escape(event["backend"]),
        escape(event["comm"]),
        *query(event),
    ))


ERRNO = {1: "EPERM", 13: "EACCES", 22: "EINVAL", 99: "EADDRNOTAVAIL", 101: "ENETUNREACH", 104: "ECONNRESET",
         110: "ETIMEDOUT", 111: "ECONNREFUSED", 112: "EHOSTDOWN", 113: "EHOSTUNREACH"}


def result(event):
    """The word for how an attempt ended, None: not known."""
    if event["outcome"] == 2:
        return ERRNO.get(event["error"], f"errno{event['error']}") if event["error"] else "failed"
    return {1: "ok", 3: "abandoned"}.get(event["outcome"])


def unescape(word):
    """The bytes of a word of a comment, and whether it is only their beginning."""
    cut = re.fullmatch(r"((?:[^\\]|\\\\|\\x[0-9a-f]{2})*)\\\.\.\.", word)
    plain = lambda found: b"\\" if found[0] == b"\\\\" else bytes([int(found[0][2:], 16)])
    return re.sub(rb"\\\\|\\x[0-9a-f]{2}", plain, (cut[1] if cut else word).encode()), bool(cut)


def comment(text):
    """The comment of a packet as {key: text}, or Damage."""
    text, given, args = text.partition(" args=")
    found = re.fullmatch(
        r"(?P<comm>[^ ]*)\[(?P<pid>\d+)\](?: tid=(?P<tid>\d+))? uid=(?P<uid>\d+)(?:\((?P<user>[^ ]+)\))?"
        r"(?: result=(?P<result>\w+) latency=(?P<latency>\d+)us(?: retransmits=(?P<retransmits>\d+))?)?"
        r"(?: query=(?P<query>[^ ]+))?"
        r"(?: exe=(?P<exe>[^ ]+))?(?: container=(?P<container>[^ ]+))?(?: unit=(?P<unit>[^ ]+))?", text)
    if not found:
        raise Damage(f"comment {text!r}")
    return {**found.groupdict(), "args": args if given else None}


def internet_checksum(data):
    total = sum(value for (value,) in struct.iter_unpack(">H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def syn(packet):
    """Source, port, destination, port, sequence number of a packet whose every other bit is as the page says."""
    v6 = packet[0] >> 4 == 6
    size, header = (16, 40) if v6 else (4, 20)
    at = 8 if v6 else 12
    source, destination = packet[at : at + size], packet[at + size : at + 2 * size]
    sport, dport, sequence = struct.unpack_from(">HHI", packet, header)
    tcp = struct.pack(">HHIIBBHHH", sport, dport, sequence, 0, 0x50, 2, 64240, 0, 0)
    pseudo = source + destination + struct.pack(">II" if v6 else ">HH", *((20, 6) if v6 else (6, 20)))
    tcp = tcp[:16] + struct.pack(">H", internet_checksum(pseudo + tcp)) + tcp[18:]
    if v6:
        ip = struct.pack(">IHBB", 6 << 28, 20, 6, 64) + source + destination
    else:
        ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 40, 0, 0x4000, 64, 6, 0, source, destination)
        ip = ip[:10] + struct.pack(">H", internet_checksum(ip)) + ip[12:]
    if packet != ip + tcp:
        raise Damage(f"packet {packet.hex()} should be {(ip + tcp).hex()}")
    return source, sport, destination, dport, sequence


def options(data, order, complain):
    """The options of a block as {code: [value]}, checked as the draft wants them."""
    found, offset = {}, 0
    while offset < len(data):
        code, length = unpack(order + "HH", data, offset, "option")
        value, end = data[offset + 4 : offset + 4 + length], offset + 4 + (length + 3) // 4 * 4
        if end > len(data):
            raise Damage(f"option {code} of {length} bytes leaves its block")
        if any(data[offset + 4 + length : end]):
            complain(f"padding of option {code} is not zero")
        offset = end
        if code == 0:
            break
        found.setdefault(code, []).append(value)
    if offset != len(data):
        complain("bytes behind the options")
    return found


class Check:
    """What the page says of the files of one session that our recorder wrote."""

    def __init__(self):
        self.breaches = 0
        self.session = None
        self.file = None  # the number of the file before
        self.closed = False  # a summary was there
        self.whole = False
        self.texts = {}
        self.counters = (0,) * 5
        self.dropped = None  # as of the last batch
        self.sequence = None  # what the next batch must have
        self.unknown = 0  # sources and outcomes that are missing, up to now

    def expect(self, true, why, block=None):
        if not true:
            self.breaches += 1
            where = f"offset {block.offset}: " if block else ""
            print(f"{self.name}: {where}{why}")

    def equal(self, value, wanted, what, block=None):
        self.expect(value == wanted, f"{what} is {value!r}, should be {wanted!r}", block)

    def read(self, name, data):
        self.name = name
        damaged = lambda damage, offset: self.expect(False, f"offset {damage.offset or offset}: {damage}")
        found = list(blocks(data, damaged))
        items = []  # (block, its record or None), to check the order
        for block in found:
            record = None
            if block.type in (CUSTOM, CUSTOM_NOCOPY):
                try:
                    self.equal(block.body[4:12], MAGIC, "magic", block)
                    record = Record(block)
                except Damage as damage:
                    damaged(damage, block.offset)
            items.append((block, record))
        self.order(items)
        self.walls, self.events, self.batches, self.heads, self.last = [], 0, [], [], None
        self.closed = False
        self.packets, self.processes = [], []
        self.has_packets = any(block.type == PACKET for block in found)
        for block, record in items:
            if block.type == PACKET:
                self.packets.append(block)
            elif block.type == PROCESS:
                self.processes.append((unpack("<I", block.body, 0, "process"), self.options(block, 4).get(2, [b""])))
            if record:
                self.record(block, record)
                {TRACE: self.trace, BATCH: self.batch, SUMMARY: self.summary}.get(
                    record.kind, lambda block, record: None)(block, record)
        for block in found:
            if block.type == SECTION:
                self.section(block)
            elif block.type == INTERFACE:
                self.interface(block)
            elif block.type == STATISTICS:
                self.statistics(block)

    def order(self, items):
        """Section, interface, trace, batches, and statistics and summary unless it ended before; packets and
        processes before their batch, those of the first before the trace record."""
        shape = ""
        for block, record in items:
            if block.type in (CUSTOM, CUSTOM_NOCOPY):
                shape += {TRACE: "t", BATCH: "b", SUMMARY: "S"}.get(record.kind, "?") if record else "?"
            else:
                shape += {SECTION: "s", INTERFACE: "i", STATISTICS: "c", PACKET: "E", PROCESS: "D"}.get(block.type, "?")
        self.expect(re.fullmatch("si([DE]*|t(cS?)?|[DE]*t(b[DE]*)*(b(cS?)?)?)", shape), f"order of the blocks is {shape}")

    def section(self, block):
        self.equal(block.order, "<", "byte order of the section", block)
        self.equal(struct.unpack_from("<HHq", block.body, 4), (1, 0, -1), "version and length of the section", block)
        found = self.options(block, 16)
        for code, what in ((2, "shb_hardware"), (3, "shb_os"), (4, "shb_userappl")):
            self.expect(len(found.get(code, [])) == 1 and found[code][0], f"no {what}", block)

    def options(self, block, offset):
        try:
            return options(block.body[offset:], block.order, lambda why: self.expect(False, why, block))
        except Damage as damage:
            self.expect(False, str(damage), block)
            return {}

    def interface(self, block):
        self.equal(unpack("<HH", block.body, 0, "interface"), (101, 0), "link type and reserved field", block)
        found = self.options(block, 8)
        self.equal(found.get(2), [b"tcpconnect"], "if_name", block)
        self.expect(len(found.get(3, [])) == 1, "no if_description", block)
        self.equal(found.get(9), [b"\x09"], "if_tsresol", block)
        for text in found.get(11, [b""]):
            self.expect(text[:1] == b"\0" and len(text) > 1, f"if_filter is {text!r}", block)

    def packet(self, block, event):
        """The packet of an event."""
        interface, high, low, kept, length = unpack("<5I", block.body, 0, "packet")
        self.equal((interface, length), (0, kept), "interface and length", block)
        self.equal(high << 32 | low, max(event["wall"], 0), "time", block)
        source, lport, destination, dport, sequence = syn(block.body[20 : 20 + kept])
        wanted = (event["saddr"] or bytes(len(event["daddr"])), event["lport"], event["daddr"], event["dport"])
        self.equal((source, lport, destination, dport), wanted, "connection", block)
        session = self.last.session
        number = struct.unpack("<I", session[4:8])[0] + event["number"] & U32
        self.equal(sequence, number, "sequence number", block)
        found = self.options(block, 20 + kept)
        process = {}
        if event["pid"]:
            at = unpack("<I", found.get(0x8001, [b"\xff" * 4])[0], 0, "process number")
            name = [escape(event["comm"]).replace(" ", "\\x20").encode()] if event["comm"] else [b""]
            self.equal(self.processes[at : at + 1], [(event["pid"], name)], "process block", block)
            process = {0x8001: found.get(0x8001)}
        text = found.get(1, [b""])[0]
        self.expect(len(text) <= 1024, f"comment of {len(text)} bytes", block)
        self.equal(found, {
            1: [text], 2: [b"\2\0\0\0"], 5: [struct.pack("<I", event["number"] & U32) + session[:4]],
            8: [struct.pack("<II", event["pid"], event["tid"])], **process}, "options", block)
        self.comment(block, comment(text.decode()), event)

    def comment(self, block, found, event):
        known = event["outcome"] in (1, 2, 3)
        retransmits = event["retransmits"] - 1 if known and event["retransmits"] > 1 else None
        for key, value in (
                ("pid", event["pid"]), ("tid", event["tid"] if event["tid"] != event["pid"] else None),
                ("uid", event["uid"]), ("result", result(event)),
                ("latency", event["latency"] if known else None), ("retransmits", retransmits)):
            self.equal(found[key], None if value is None else str(value), f"{key} in the comment", block)
        for key in ("comm", "user", "query", "exe", "container", "unit"):
            text, cut = unescape(found[key] or "")
            self.expect(event[key].startswith(text) if cut else event[key] == text,
                        f"{key} {text!r} in the comment is {event[key]!r}", block)
        words = event["args"].split(b"\0")[:-1] if event["args"].endswith(b"\0") else event["args"].split(b"\0")
        if not event["args"]:
            self.equal(found["args"], None, "args in the comment", block)
            return
        given = [unescape(word) for word in (found["args"] or "").split(" ")]
        cut = given[-1][1]
        self.expect(cut or len(given) == len(words), "arguments are missing", block)
        self.expect(cut or not event["process flags"] & 1, "arguments are not marked as cut", block)
        for (text, part), word in zip(given, words):
            self.expect(word.startswith(text) if part else word == text, f"argument {text!r} is {word!r}", block)

    def statistics(self, block):
        self.equal(unpack("<I", block.body, 0, "statistics"), 0, "interface of the statistics", block)
        found = self.options(block, 12)
        seen, _, filtered, lost, _ = self.counters
        for code, what, wanted in ((4, "received", seen), (5, "dropped", lost), (6, "filter accept", seen - filtered)):
            self.equal(found.get(code), [struct.pack("<Q", wanted & U64)], what, block)

    def record(self, block, record):
        self.equal(block.type, CUSTOM_NOCOPY if record.kind == SUMMARY else CUSTOM, "block type", block)
        self.equal(record.pen, 32473, "enterprise number", block)
        queries = record.kind == BATCH and {0x010F, 0x0110} & {entry[0] for entry in record.directory}
        self.equal((record.major, record.minor), (1, int(bool(queries))), "format version", block)
        self.expect(record.kind in HEADER, f"kind {record.kind}", block)
        self.equal((record.zero11, record.zero20), (0, 0), "bytes 11 and 20", block)
        self.equal(record.header, HEADER.get(record.kind), "length of the header", block)
        self.expect(record.length <= 262140, f"record of {record.length} bytes", block)
        self.equal(record.rest, bytes(-record.length % 4), "padding", block)
        self.session = self.session or record.session
        self.equal(record.session, self.session, "session", block)
        for at, start, length in record.references:
            self.expect(
                start >= record.header if length else start == 0,
                f"reference at {at} is {start} + {length}", block)
        spans = sorted((start, start + length) for _, start, length in record.references if length)
        for (_, end), (start, _) in zip(spans, spans[1:]):
            self.expect(end <= start, f"references overlap at {start}", block)

    def trace(self, block, record):
        if self.file is None:
            self.expect(record.file >= 1, "files are numbered from 1", block)
            self.whole = record.file == 1  # the session is here from its beginning
            self.sequence = 0 if self.whole else None
        else:
            self.equal(record.file, self.file + 1, "number of the file", block)
        self.file = record.file
        self.texts = record.texts
        self.equal(record.zero44, 0, "bytes 44", block)
        for name, text in record.texts.items():
            self.expect(text, f"no {name}", block)
        self.expect(record.texts["backend"] in (b"fentry", b"kprobe", b"cgroup"), f"backend {record.texts['backend']}", block)
        self.expect(
            re.fullmatch(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", record.texts["boot id"]),
            f"boot id {record.texts['boot id']}", block)

    def batch(self, block, record):
        rows = record.rows["event"]
        self.last = record
        self.batches.append(block.offset)
        self.heads.append(record)
        self.equal(record.file, self.file, "number of the file", block)
        self.equal(record.host, self.texts.get("host"), "host", block)
        self.equal(record.backend, self.texts.get("backend"), "backend", block)
        self.summary_for_skipping(block, record)
        self.equal(record.plain_length, len(record.body), "length of the body", block)
        self.equal(record.zero183, 0, "byte 183", block)
        self.equal(unpack("<I", record.bytes, 188, "batch"), 0, "bytes 188", block)
        self.equal(record.bytes[217:224], bytes(7), "bytes 217", block)
        self.expect(record.reason <= 3, f"reason {record.reason} of a gap", block)
        self.expect(record.gap_from <= record.gap_to, "a gap ends before it begins", block)
        if self.sequence is not None:
            gone = record.dropped - self.dropped if self.dropped is not None else record.dropped
            self.equal(record.sequence, self.sequence + gone, "sequence", block)
            self.equal(bool(gone), bool(record.reason), "reason of a gap", block)
        self.dropped = record.dropped
        self.sequence = record.sequence + rows
        seen, recorded, filtered, lost, partial = record.counters
        self.expect(
            all(new >= old for new, old in zip(record.counters, self.counters)),
            f"counters fall from {self.counters} to {record.counters}", block)
        self.equal(recorded, self.sequence - record.dropped, "events recorded", block)
        self.expect(seen >= recorded + filtered + lost, f"seen {seen} < {recorded} + {filtered} + {lost}", block)
        self.columns(block, record)
        try:
            events = list(record.events())
            row_of = [record.value("process", i) for i in range(rows)]
        except Damage as damage:
            self.expect(False, str(damage), block)
            return
        if self.has_packets:
            self.equal(len(self.packets), rows, "number of packets before the batch", block)
            for packet, event in zip(self.packets, events):
                try:
                    self.packet(packet, event)
                except (Damage, UnicodeError) as damage:
                    self.expect(False, str(damage), packet)
            self.packets = []
        boots = [event["boot"] for event in events] or [0]
        self.equal((record.first, record.last), (min(boots), max(boots)), "earliest and latest time", block)
        self.unknown += sum((event["saddr"] is None) + (event["outcome"] == 0) for event in events)
        if self.whole:
            # What was dropped on the way to the file may have lacked two parts.
            self.expect(partial <= self.unknown + 2 * record.dropped, f"{partial} partial, {self.unknown} sources and outcomes missing", block)
        self.counters = record.counters
        self.walls += [event["wall"] for event in events]
        self.events += rows
        self.tables(block, record, row_of)

    def summary_for_skipping(self, block, record):
        if not record.skip:
            return
        bits, each, first, *zeros = unpack("<I4B", record.skip, 0, "summary for skipping")
        self.equal(first, 0 if record.kind == BATCH else 4, "byte 5 of the summary for skipping", block)
        self.equal(zeros, [0, 0], "bytes 6 of the summary for skipping", block)
        self.equal(len(record.skip), 8 + bits // 8, "length of the summary for skipping", block)
        batches = [record] if record.kind == BATCH else self.heads
        for value in sorted(set().union(*(batch.skipped_by() for batch in batches))):
            self.expect(may_hold(record.skip, value), f"{value} is not in the summary for skipping", block)

    def columns(self, block, record):
        ids = [entry[0] for entry in record.directory]
        self.equal(len(set(ids)), len(ids), "number of different columns", block)
        spans = [(0, 16 * len(ids))]
        for column, width, encoding, offset, base in record.directory:
            name, table, limit = COLUMNS.get(column, (None, None, 0))
            what = f"column {column:#06x}"
            if not name:
                self.expect(False, f"{what} is not in the page", block)
                continue
            self.expect(not encoding or record.compression, f"{what} is encoded and not compressed", block)
            n = record.rows[table or "string"]
            if not table:
                n = record.value("end", n - 1) if n else 0
                self.equal((width, base), (1, 0), f"width and base of {what}", block)
            else:
                values = {record.value(name, row) for row in range(n)}
                self.expect(max(values, default=0) <= limit, f"{what} exceeds {limit}", block)
            if width * n:
                spans.append((offset, offset + length_of(width, encoding, n)))
        spans.sort()
        for (_, end), (start, _) in zip(spans, spans[1:]):
            self.expect(end <= start, f"columns overlap at {start}", block)
        self.expect(spans[-1][1] <= len(record.body), "columns leave the body", block)

    def tables(self, block, record, row_of):
        rows = record.rows
        names = [name for name, table, _ in COLUMNS.values() if table == "process"]
        processes = [tuple(record.value(name, i) for name in names) for i in range(rows["process"])]
        self.equal(len(set(processes)), len(processes), "number of different processes", block)
        occur = set(row_of)
        for i in reversed(range(len(processes))):  # a parent stands before its children
            if i in occur and record.value("parent", i):
                occur.add(record.value("parent", i) - 1)
        self.equal(sorted(occur), list(range(len(processes))), "processes that occur", block)
        for i in range(rows["ipv6"]):
            high, low = record.value("high", i), record.value("low", i)
            self.expect(high or low >> 32 != 0xFFFF, f"IPv6 row {i} is an IPv4-mapped address", block)
        for i in range(rows["event"]):
            flags = record.value("flags", i)
            self.expect(flags <= 7, f"event {i}: flags {flags:#x}", block)
            mapped_v6 = flags & 1 and record.value("daddr", i) > rows["ipv4"]
            self.expect(not mapped_v6, f"event {i}: mapped, but not IPv4", block)

    def summary(self, block, record):
        self.equal(record.file, self.file, "number of the file", block)
        self.closed = True
        self.equal(record.own, block.offset, "own offset", block)
        plain = record.bytes[:116] + bytes(4) + record.bytes[120:]
        self.equal(record.crc, zlib.crc32(plain), "checksum", block)
        self.equal(record.count, self.events, "events in the file", block)
        times = (min(self.walls), max(self.walls)) if self.walls else (0, 0)
        self.equal((record.first, record.last), times, "earliest and latest wall time", block)
        self.equal(record.counters, self.counters, "counters", block)
        self.equal(record.offsets, self.batches[: len(record.offsets)], "offsets of the batches", block)
        if len(record.offsets) < len(self.batches):
            self.expect(record.length + 8 > 262140, "offsets are missing though there is room", block)
        self.equal(record.batches, len(self.batches), "batches in the file", block)
        for i, (head, batch) in enumerate(zip(record.heads, self.heads)):
            wanted = bytes(8) + batch.bytes[8:144] + head[0][144:160] + bytes(16) + batch.bytes[176 : batch.header]
            self.equal(head, (wanted, batch.host, batch.backend), f"head of batch {i}", block)
        if len(record.heads) < len(self.batches):
            self.expect(record.length + 232 > 262140 - 512, "heads are missing though there is room", block)
        self.summary_for_skipping(block, record)

    def end(self):
        """The last batch of the session: nothing is under way any more."""
        if self.last:
            seen, recorded, filtered, lost, _ = self.counters
            self.equal(seen, recorded + filtered + lost, "attempts seen in the last batch")


def check(names):
    checker = Check()
    for name in names:
        with open(name, "rb") as file:
            data = file.read()
        try:
            checker.read(name, data)
        except Damage as damage:
            checker.expect(False, str(damage))
    if checker.closed:
        checker.end()
    return 1 if checker.breaches else 0


def show(name):
    status = 0

    def complain(damage, offset):
        nonlocal status
        status = 1
        where = offset if damage.offset is None else damage.offset
        where = "" if where is None else f"offset {where}: "
        print(f"decode.py: {name}: {where}{damage}", file=sys.stderr)

    with open(name, "rb") as file:
        data = file.read()
    try:
        for record in records(data, complain):
            if record.known and record.kind == BATCH:
                try:
                    for line in [row(event) for event in record.events()]:
                        print(line)
                except Damage as damage:
                    complain(damage, record.block.offset)
    except Damage as damage:
        complain(damage, None)
    return status


def main(arguments):
    sys.stdout.reconfigure(encoding="utf-8")
    try:
        if len(arguments) > 1 and arguments[0] == "--check":
            return check(arguments[1:])
        if len(arguments) == 1 and not arguments[0].startswith("--"):
            return show(arguments[0])
    except OSError as error:
        print(f"decode.py: {error}", file=sys.stderr)
        return 1
    print(__doc__.strip(), file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
