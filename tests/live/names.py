"""Names that are looked up by real programs, from real DNS answers over UDP."""
import re
import socket

import lookups
from harness import BUILD, SANITIZED, TOP, Recorder, batches_of, expect, need, read, run, scratch, test

WORLD = "ip link set lo up && ip link set lo mtu 1280"
LOST = "tcpconnect-rec: 1 DNS answers lost: names may be missing, or old\n"


def free_ports():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1] & 0xFFFE


def make_lookups(port):
    result = run("unshare", "-n", "sh", "-c", f"{WORLD} && exec {BUILD}/tests/live/lookups {port}", cwd=TOP)
    expect(result.returncode == 0, result.stderr)
    return result.stdout


def minor_versions(trace):
    data = trace.read_bytes()
    return {data[batch.record + 10] for batch in batches_of(trace) if batch.events}


def every_lookup(*options, build=BUILD):
    """Returns the recorder, which has ended, and its port."""
    port = free_ports()
    with Recorder("-d", "-P", f"{port}-{port + 1}", *options, build=build) as recorder:
        log = make_lookups(port)
        recorder.stop()
    expect(LOST in recorder.stderr(), recorder.stderr())
    rows, _ = read("-r", recorder.trace, "-j", "-o", lookups.COLUMNS, build=build)
    wrong = lookups.check(log, rows)
    expect(not wrong, " | ".join(wrong))
    expect(minor_versions(recorder.trace) == {1}, minor_versions(recorder.trace))
    return recorder, port


@test("-d: each connect has the name that was looked up last before it, and the age of the answer")
def with_names():
    recorder, _ = every_lookup("--print")
    shown, _ = read("-r", recorder.trace, "-d")
    expect(recorder.stdout() == shown, f"printed:\n{recorder.stdout()}replayed:\n{shown}")
    header, *lines = shown.splitlines()
    expect(header.endswith(" DPORT QUERY"), header)
    for address, query in (("127.0.0.1", "localhost"), ("::1", "localhost"), ("127.0.1.1", "No DNS Query"),
                           ("127.0.4.1", "-")):
        expect(any(re.search(rf" {address} +\d+ +{query}$", line) for line in lines), f"{address}: {shown}")
    expect(re.search(r"127.0.1.1 +\d+ +alias.example.test \(2\d\d\.\d{3}ms\)$", shown, re.M), shown)


@test("-d: numbered files, -x and other columns have the names too")
def in_other_ways():
    recorder, port = every_lookup("--print", "-o", "daddr,dport,result,query,query_age")
    shown, _ = read("-r", recorder.trace, "-o", "daddr,dport,result,query,query_age")
    expect(recorder.stdout() == shown, f"printed:\n{recorder.stdout()}replayed:\n{shown}")
    with Recorder("-x", "-o", "dport,query", "-P", f"{port}-{port + 1}", trace=False) as recorder:
        make_lookups(port)
        recorder.stop()
    header, *lines = recorder.stdout().splitlines()
    expect(len(lines) == 1 and re.match(rf"{port + 1} +alias.example.test \(2", lines[0]), recorder.stdout())
    where = scratch / "names"
    where.mkdir()
    with Recorder("-d", "-P", f"{port}-{port + 1}", "-w", where / "n.pcapng", "-W", "9", trace=False,
                  stdout=-1) as recorder:  # numbered: rewritten when it is finished
        while not list(where.iterdir()):
            pass
        log = make_lookups(port)
        recorder.send(15)
        recorder.wait()
    rows, _ = read("-r", where, "-j", "-o", lookups.COLUMNS)
    wrong = lookups.check(log, rows)
    expect(not wrong, " | ".join(wrong))
    expect(minor_versions(next(where.iterdir())) == {1}, "a finished file")


@test("without -d no name is recorded, and a trace has no columns for them")
def without_names():
    port = free_ports()
    with Recorder("-P", f"{port}-{port + 1}") as recorder:
        log = make_lookups(port)
        recorder.stop()
    rows, _ = read("-r", recorder.trace, "-j", "-o", lookups.COLUMNS)
    wrong = lookups.check(log, rows, names=False)
    expect(not wrong, " | ".join(wrong))
    expect(minor_versions(recorder.trace) == {0}, minor_versions(recorder.trace))
    shown, _ = read("-r", recorder.trace, "-d")
    expect(all(line.endswith(" -") for line in shown.splitlines()[1:]), shown)
    expect("DNS" not in recorder.stderr(), recorder.stderr())


@test("-d: what getaddrinfo(3) asks for")
def by_the_library():
    need("getent", "unshare")
    script = scratch / "resolve.sh"
    script.write_text(f"""{WORLD}
mount --make-rprivate /
echo 'nameserver 127.0.0.2' >{scratch}/resolv.conf
echo 'hosts: files dns' >{scratch}/nsswitch.conf
mount --bind {scratch}/resolv.conf /etc/resolv.conf
mount --bind {scratch}/nsswitch.conf /etc/nsswitch.conf
{BUILD}/tests/live/lookups serve >{scratch}/served &
while [ ! -s {scratch}/served ]; do sleep 0.05; done
python3 -c "
import socket
for name in ('alias.example.test', 'www.example.test', 'www.example.test'):
    for family, kind, _, _, address in socket.getaddrinfo(name, 9, type=socket.SOCK_STREAM):
        socket.socket(family, kind).connect_ex(address)
"
kill $!
""")
    with Recorder("-d", "-P", "9", "--comm", "python3") as recorder:
        result = run("unshare", "-n", "-m", "sh", script)
        expect(not result.stderr, result.stderr)
        recorder.stop()
    rows, _ = read("-r", recorder.trace, "-o", "daddr,query", "dst net 127.0.1.0/24 or ip6")
    found = [tuple(line.split()) for line in rows.splitlines()[1:]]
    expect(found[0] == ("127.0.1.1", "alias.example.test"), f"{found}")
    expect(sorted(found[1:]) == sorted(2 * [(a, "www.example.test") for a in ("127.0.1.1", "::1")]), f"{found}")


@test("sanitizers: names")
def sanitized():
    every_lookup(build=SANITIZED)
