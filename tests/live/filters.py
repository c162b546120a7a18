"""A filter in the recorder (in the kernel) and the same one in the reader give the same rows."""
import contextlib
import ctypes
import os
import pwd
import random
import struct
import subprocess
from pathlib import Path

from harness import (BUILD, Load, Recorder, Wrong, batches_of, compare, connects, expect, fresh,
                     fresh_uids, read_quietly, removed, rows_of, run, scratch, test, wait_for)

MODES = "v4,v6,mapped,closed4,closed6,closedmapped"
PID, UID, COMM, IP, DPORT = 0, 2, 4, 5, 9


class Case:
    """A filter as both programs take it, and what it means for a row."""

    def __init__(self, wants, *options):
        self.wants, self.options = wants, options


def cases(pids, users, name, port, cgroup):
    """pids: of the processes; users: two; name: of the second user; port: the first of six."""
    near = {str(port + i) for i in (0, 2, 3, 5)}
    listed = f"{port},{port + 2}-{port + 3},{port + 5}"
    comm = "gen-1-0-0123456"  # of the thread of the second process
    span = {str(port + i) for i in range(1, 5)}
    return [
        Case(lambda r: r[PID] == pids[0], "-p", pids[0]),
        Case(lambda r: r[PID] in pids[1:3], "-p", ",".join(pids[1:3])),
        Case(lambda r: r[PID] in pids[1:3], "-p", pids[1], "-p", pids[2]),
        Case(lambda r: r[PID] not in pids[:2], "-p", "!" + ",".join(pids[:2])),
        Case(lambda r: r[UID] == users[0], "-u", users[0]),
        Case(lambda r: r[UID] == users[1], "-u", name),
        Case(lambda r: r[UID] in users, "--uid", f"{users[0]},{name}"),
        Case(lambda r: r[UID] != users[0], "-u", f"!{users[0]}"),
        Case(lambda r: r[DPORT] == str(port + 1), "-P", port + 1),
        Case(lambda r: r[DPORT] in span, "--port", f"{port + 1}-{port + 4}"),
        Case(lambda r: r[DPORT] in near, "-P", listed),
        Case(lambda r: r[DPORT] not in near, "-P", "!" + listed),
        Case(lambda r: r[IP] == "4", "-4"),
        Case(lambda r: r[IP] == "6", "-6"),
        Case(lambda r: (r[UID] == users[0] and r[DPORT] in span and r[IP] == "6"
                        and r[PID] != pids[0]),
             "-u", users[0], "-P", f"{port + 1}-{port + 4}", "-6", "-p", "!" + pids[0]),
        Case(lambda r: False, "-p", pids[0], "-u", users[1]),
        # Applied in the recorder:
        Case(lambda r: r[COMM] == comm, "--comm", f"nobody,{comm}"),
        Case(lambda r: r[COMM] != comm, "--comm", f"!{comm}"),
        Case(lambda r: True, "--netns", "/proc/self/ns/net"),
        Case(lambda r: False, "--netns", "!/proc/self/ns/net"),
        Case(lambda r: True, "--cgroup", cgroup),
        Case(lambda r: False, "--cgroup", "/no/such"),
        Case(lambda r: r[IP] == "6", "ip6"),
        Case(lambda r: r[IP] == "4" and r[DPORT] in span and r[UID] == users[0],
             "-u", users[0], "--comm", "!nobody", "dst net 127.0.0.0/8 and not port",
             port, "and", "not", "dst", "port", port + 5),
    ]


def start_load(users):
    """The pids of its processes and its first port; it connects when its stdin is closed."""
    for _ in range(20):
        port = random.randrange(10000, 32000, 8)
        load = Load(3000, "-k", 4, "-u", ",".join(users), "-m", MODES, "-p", port, "-i",
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        pids = load.process.stdout.readline().strip().split(",")
        if len(pids) == 4:
            return load, pids, port
        load.process.communicate()
    raise Wrong("no free ports for the load")


def check(case, recorder, log, everything):
    rows = rows_of(recorder.trace)
    wanted = [row for row in compare.logged(log) if case.wants(row)]
    differences = compare.compare(wanted or compare.logged(log), rows, subset=not wanted)
    said = " ".join(map(str, case.options))
    pids = {row["pid"] for row in log}
    ours = [row for row in rows if row[PID] in pids]
    if differences or len(ours) != len(wanted):
        raise Wrong(f"{said}: {len(ours)} rows, not {len(wanted)}: {'; '.join(differences)}")
    again = [row for row in rows_of(everything, *case.options) if row[PID] in pids]
    expect(sorted(again) == sorted(ours),
           f"{said}: the reader shows {len(again)} rows, not {len(ours)}")
    # Other programs may connect meanwhile; each recorder sees its own part of that.
    others = [row for row in rows_of(everything) if row[PID] not in pids]
    seen, recorded, filtered, lost, _ = batches_of(recorder.trace)[-1].counters
    expect(seen == recorded + filtered + lost and lost == 0 and recorded == len(rows),
           f"{said}: seen {seen}, recorded {recorded}, filtered {filtered}, lost {lost}")
    exact = len(log) - len(wanted)
    expect(exact <= filtered <= exact + len(others), f"{said}: {filtered} filtered, not {exact}")


@test("-p -u -P -4 -6 with lists, ranges and !: the same rows in recorder and reader, exact counts")
def both_filter():
    name = "daemon"
    users = [fresh_uids(1)[0], str(pwd.getpwnam(name).pw_uid)]
    load, pids, port = start_load(users)
    recorders = []
    with contextlib.ExitStack() as stack:
        # Of its own, which the kernel tells with the process: "/" may have to be read from /proc.
        group = stack.enter_context(directory(cgroup_root() / f"filters-{os.getpid()}"))
        for pid in pids:
            (group / "cgroup.procs").write_text(pid)
        everything = stack.enter_context(Recorder("-B", "4M"))
        for case in cases(pids, users, name, port, f"/{group.name}"):
            recorders.append((case, stack.enter_context(Recorder("-B", "4M", *case.options))))
        load.process.stdin.close()
        load.process.stdin = None
        log = load.finish()
        for _, recorder in recorders:
            recorder.stop()
        everything.stop()
    expect({row["dport"] for row in log} == {str(port + i) for i in range(6)}, "other ports")
    for case, recorder in recorders:
        check(case, recorder, log, everything.trace)


@test("the trace says which filters ran in the kernel and which in the recorder")
def words():
    for options, said in (
            (["-4", "-P", "80"], "ip 4 and port 80 (in the kernel)"),
            (["--comm", "!a,b", "dst", "port 80"], "comm !a,b and (dst port 80) (in the recorder)"),
            (["-x", "-u", "7", "--netns", "5"],
             "uid 7 (in the kernel), netns 5 and failed (in the recorder)"),
            ([], "none")):
        with Recorder("--backend", "cgroup", *options) as recorder:
            recorder.stop()
        expect(said.encode() in recorder.trace.read_bytes(), f"{said!r} is not in the trace")


@test("-c prints at the end what the reader's -c makes of the trace")
def counts():
    uid = fresh_uids(1)[0]
    with Recorder("-c", "-u", uid) as recorder:
        connects(500, "-u", uid, "-m", MODES)
        recorder.stop()
    said = recorder.stdout()
    expect(said == read_quietly("-r", recorder.trace, "-c"), said)
    expect(len(said.splitlines()) >= 6, said)


class PinnedMap:
    """A hash in the kernel that other programs find by a name in a file system of type bpf."""
    CREATE, UPDATE, PIN = 0, 2, 6
    NUMBER = {"x86_64": 321, "aarch64": 280}

    def __init__(self, path, value_size):
        self.path, self.value_size = path, value_size
        self.fd = self.call(self.CREATE, struct.pack("<5I60x", 1, 8, value_size, 16, 0))
        name = ctypes.create_string_buffer(str(path).encode())
        self.call(self.PIN, struct.pack("<QI60x", ctypes.addressof(name), self.fd))

    def call(self, command, attributes):
        libc = ctypes.CDLL(None, use_errno=True)
        buffer = ctypes.create_string_buffer(attributes, len(attributes))
        result = libc.syscall(self.NUMBER[os.uname().machine], command, buffer, len(attributes))
        expect(result >= 0, f"bpf({command}): {os.strerror(ctypes.get_errno())}")
        return result

    def add(self, number):
        key, value = ctypes.c_uint64(number), ctypes.create_string_buffer(self.value_size)
        self.call(self.UPDATE, struct.pack("<I4xQQQ", self.fd, ctypes.addressof(key),
                                           ctypes.addressof(value), 0))


def cgroup_root():
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    return Path(next(mount[1] for mount in mounts if mount[2] == "cgroup2"))


@contextlib.contextmanager
def directory(path, *mount):
    path.mkdir()
    try:
        if mount:
            expect(run("mount", *mount, path).returncode == 0, f"cannot mount {mount}")
        yield path
        if mount:
            run("umount", path)
    finally:
        wait_for(lambda: removed(path), f"{path} to be empty")


def load_of(name, add, *prefix):
    """200 connects of a process of which the kernel knows before they begin."""
    log = fresh("csv")
    command = [*prefix, BUILD / "tests/live/connects", "-n", 200, "-i", "-m", MODES, "-o", log]
    with subprocess.Popen([str(part) for part in command], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        add(process.pid)
        process.stdin.close()
        process.stdout.read()
        expect(process.wait() == 0, f"the load of {name} failed")
    return compare.read_log(log)


@test("--cgroupmap, --mntnsmap: maps of others decide, which change while it runs")
def pinned_maps():
    with contextlib.ExitStack() as stack:
        maps = stack.enter_context(directory(scratch / "bpf", "-t", "bpf", "none"))
        group = stack.enter_context(directory(cgroup_root() / f"live-{os.getpid()}"))
        cgroups, mounts = PinnedMap(maps / "cgroups", 8), PinnedMap(maps / "mounts", 4)
        by_cgroup = stack.enter_context(Recorder("--cgroupmap", cgroups.path))
        by_mount = stack.enter_context(Recorder("--mntnsmap", mounts.path))
        outside = load_of("nobody", lambda pid: None)
        inside = load_of("a cgroup", lambda pid: cgroups.add(group.stat().st_ino), "sh", "-c",
                         f'echo 0 >{group}/cgroup.procs && exec "$@"', "sh")
        mounted = load_of("a mount namespace",
                          lambda pid: mounts.add(os.stat(f"/proc/{pid}/ns/mnt").st_ino),
                          "unshare", "-m")
        for recorder, log in ((by_cgroup, inside), (by_mount, mounted)):
            recorded, filtered, lost = recorder.stop()
            rows = rows_of(recorder.trace)
            differences = compare.compare(compare.logged(log), rows)
            expect(not differences and recorded == len(log), "; ".join(differences))
            expect(filtered >= len(outside) + len(inside), f"{filtered} filtered")
            expect(b"map " + str(maps).encode() in recorder.trace.read_bytes(), "no words")
