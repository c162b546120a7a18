#!/usr/bin/env python3
"""A trace as a recorder on a big-endian machine would frame it.

usage: big_endian.py IN OUT

Turns the framing of the pcapng blocks around (lengths, types, fixed fields, options); the payloads
of the Custom Blocks stay as they are: tcpconnect-trace(5) has them little-endian always.
"""
import struct
import sys

SECTION, INTERFACE, STATISTICS, PACKET, PROCESS = 0x0A0D0D0A, 1, 5, 6, 0x80000001
CUSTOM = (0xBAD, 0x40000BAD)
# The fixed fields of a block, and the options whose values are integers, as struct formats.
FIXED = {SECTION: "IHHq", INTERFACE: "HHI", STATISTICS: "III", PACKET: "IIIII", PROCESS: "I"}
INTEGERS = {SECTION: {}, INTERFACE: {},
            STATISTICS: {2: "II", 3: "II", 4: "Q", 5: "Q", 6: "Q", 7: "Q", 8: "Q"},
            PACKET: {2: "I", 5: "Q", 8: "II", 0x8001: "I"}, PROCESS: {}}


def swap(layout, data, offset=0):
    return struct.pack(">" + layout, *struct.unpack_from("<" + layout, data, offset))


def swap_options(data, integers):
    out, offset = b"", 0
    while offset < len(data):
        code, length = struct.unpack_from("<HH", data, offset)
        value = data[offset + 4:offset + 4 + (length + 3) // 4 * 4]
        out += struct.pack(">HH", code, length)
        out += swap(integers[code], value) if code in integers else value
        offset += 4 + len(value)
    return out


def swap_block(kind, body):
    if kind in CUSTOM:
        return swap("I", body) + body[4:]
    fixed = struct.calcsize("<" + FIXED[kind])
    options = fixed + (struct.unpack_from("<I", body, 12)[0] if kind == PACKET else 0)
    return swap(FIXED[kind], body) + body[fixed:options] + swap_options(body[options:], INTEGERS[kind])


def convert(data):
    out, offset = [], 0
    while offset < len(data):
        kind, length = struct.unpack_from("<II", data, offset)
        body = swap_block(kind, data[offset + 8:offset + length - 4])
        out.append(struct.pack(">II", kind, length) + body + struct.pack(">I", length))
        offset += length
    return b"".join(out)


if __name__ == "__main__":
    with open(sys.argv[1], "rb") as file:
        converted = convert(file.read())
    with open(sys.argv[2], "wb") as file:
        file.write(converted)
