"""Programs that know packets only, or copy what they do not know."""
import re

import big_endian
from golden import WITH_PACKETS, same_rows
from harness import BUILD, expect, fresh, need, read_quietly, run, test
from tshark import events, readable, rows, tshark

COLUMNS = "clock,host,uid,pid,tid,saddr,lport,daddr,dport,result,comm"
PLAIN = WITH_PACKETS[1]


def made(*command):
    name = fresh("pcapng")
    need(str(command[0]))
    result = run(*[name if part == "OUT" else part for part in command])
    expect(result.returncode == 0 and name.exists(), f"{command[0]}: {result.stderr}")
    return name


@test("editcap and reordercap: each row once, packets and events")
def copies():
    for command in (("editcap", PLAIN, "OUT"), ("reordercap", PLAIN, "OUT"),
                    ("tshark", "-r", PLAIN, "-w", "OUT")):
        copy = made(*command)
        wanted = read_quietly("-r", PLAIN, "-o", COLUMNS)
        same_rows(command[0], read_quietly("-r", copy, "-o", COLUMNS).splitlines(), wanted.splitlines())
        fields = ("frame.time_epoch", "frame.comment", "frame.packet_id", "frame.p2p_dir", "tcp.seq_raw")
        key = lambda row: row["frame.packet_id"]
        same_rows(command[0], sorted(rows(copy, *fields, show="tcp", plugin=False), key=key),
                  sorted(rows(PLAIN, *fields, show="tcp", plugin=False), key=key))


@test("tcpconnect-read -w adds the packets, and removes them with --no-packets")
def extracted():
    reader = BUILD / "tcpconnect-read"
    without = made(reader, "-r", PLAIN, "--no-packets", "-w", "OUT")
    again = made(reader, "-r", without, "-w", "OUT")
    fields = ("frame.time_epoch", "ip.src", "ipv6.src", "tcp.srcport", "ip.dst", "ipv6.dst", "tcp.dstport")
    expect(not rows(without, "frame.number", show="tcp", plugin=False), "there are packets still")
    same_rows("packets", rows(again, *fields, show="tcp", plugin=False),
              rows(PLAIN, *fields, show="tcp", plugin=False))
    wanted = read_quietly("-r", PLAIN, "-o", COLUMNS)
    same_rows("events", read_quietly("-r", again, "-o", COLUMNS).splitlines(), wanted.splitlines())


@test("a section of the other byte order shows the same")
def big_endian_section():
    turned = fresh("pcapng")
    turned.write_bytes(big_endian.convert(WITH_PACKETS[0].read_bytes()))
    fields = ("frame.time_epoch", "frame.comment", "frame.packet_id", "frame.p2p_dir", "tcpconnect.number",
              "tcpconnect.result", "tcpconnect.event.comm")
    same_rows("big-endian", rows(turned, *fields), rows(WITH_PACKETS[0], *fields))


@test("mergecap: the rows of both, each once, and the plug-in tells their hosts")
def merged():
    both = made("mergecap", "-w", "OUT", WITH_PACKETS[0], PLAIN)
    count = [len(rows(name, "frame.number", show="tcp")) for name in (both, WITH_PACKETS[0], PLAIN)]
    expect(count[0] == count[1] + count[2], f"packets: {count}")
    wanted = read_quietly("-r", WITH_PACKETS[0], "-r", PLAIN, "-o", COLUMNS).splitlines()
    same_rows("mergecap", sorted(read_quietly("-r", both, "-o", COLUMNS).splitlines()), sorted(wanted))
    hosts = [row["tcpconnect.host"] for row in rows(both, "tcpconnect.host", show="tcpconnect.host")]
    expect(hosts.count(["alpha"]) == count[1] and hosts.count(["beta"]) == count[2], f"{hosts}")


@test("capinfos counts the packets")
def capinfos():
    for trace in WITH_PACKETS:
        said = run("capinfos", "-M", "-c", "-T", "-r", trace)
        expect(said.returncode == 0 and int(said.stdout.split()[-1]) == len(rows(trace, "tcp.seq", show="tcp")),
               f"{trace.name}: {said.stdout} {said.stderr}")


@test("tcpdump shows and filters every packet, its checksums are right")
def tcpdump():
    lines = run("tcpdump", "-nvr", readable(PLAIN), "tcp").stdout
    packets = len(rows(PLAIN, "tcp.seq", show="tcp"))
    expect(lines.count("Flags [S]") == packets, lines)
    expect(lines.count("(correct)") == packets and "bad cksum" not in lines, lines)
    found = run("tcpdump", "-nr", readable(PLAIN), "ip6 and dst port 443").stdout.splitlines()
    expect(len(found) == 1 and "2001:db8::10.40002 > 2001:db8::7.443" in found[0], f"{found}")
    piped = run("tcpdump", "-r", "-", "-nw", "-", "dst port 443", text=False, input=PLAIN.read_bytes()).stdout
    again = run("tcpdump", "-nr", "-", text=False, input=piped).stdout.decode()
    expect(len(again.splitlines()) == 2, again)


@test("conversations and endpoints are those of the events")
def statistics():
    said = tshark(PLAIN, "-q", "-z", "conv,tcp", plugin=False)
    lines = [line for line in said.splitlines() if "<->" in line]
    pairs = {frozenset(re.findall(r"\S+:\d+", line)) for line in lines}
    wanted = {frozenset((f"{a or '0.0.0.0'}:{p}", f"{b}:{q}")) for a, p, b, q in (
        ("192.0.2.10", 40000, "198.51.100.7", 443), ("127.0.0.1", 51000, "127.0.0.1", 22))}
    expect(wanted <= pairs and len(lines) == 10, said)
    said = tshark(PLAIN, "-q", "-z", "endpoints,ip", plugin=False)
    (line,) = [line for line in said.splitlines() if line.startswith("192.0.2.10 ")]
    wanted = sum(event["saddr"] == b"\xc0\0\2\x0a" for event in events(PLAIN))
    expect(line.split()[1] == str(wanted), said)


@test("no attempt is shown as a retransmission")
def no_retransmissions():
    for trace in WITH_PACKETS:
        found = rows(trace, "frame.number", show="tcp.analysis.retransmission")
        expect(not found, f"{trace.name}: {found}")


@test("the first row is a packet: relative times begin with 0")
def relative_times():
    for trace in WITH_PACKETS[:3]:
        first = rows(trace, "frame.time_relative", "tcp.seq", plugin=False)[0]
        expect(first["tcp.seq"] and float(first["frame.time_relative"][0]) == 0, f"{trace.name}: {first}")
