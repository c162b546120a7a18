"""Who it was: what the trace says of processes, with the backend that has to look for itself.

tests/live/spawn connects to 127.x.y.z, whose last 24 bits are the number of the connect: what the
recorder says of it is right, unknown, or wrong, and wrong it must never be.
"""
import collections
import os
import re
import shutil
import socket
import subprocess
import sys
import time

import harness
from harness import BUILD, PATIENCE, TOP, Recorder, expect, need, removed, test, wait_for

sys.path.insert(0, str(TOP / "tests"))
import decode

NAMES = ("exe", "args", "ppid", "euid")
UNKNOWN = {"exe": b"", "args": b"", "ppid": 0, "euid": None}


def kernel_tells():
    """Whether the programs in the kernel say all of a process: no lockdown, BTF, 6.1 or newer."""
    lockdown = "/sys/kernel/security/lockdown"
    locked = os.path.exists(lockdown) and "[confidentiality]" in open(lockdown).read()
    newer = tuple(map(int, re.findall(r"\d+", os.uname().release)[:2])) >= (6, 1)
    return newer and not locked and os.path.exists("/sys/kernel/btf/vmlinux")


# The share that must be known of those that end before anyone can look at them.
LEAST = 1 if kernel_tells() else 0.5


def record(*options):
    return Recorder("--backend", "cgroup", *options)


def events_of(trace):
    """Each with its number, the process and the list of its ancestors."""
    damages, events = [], []
    for item in decode.records(trace.read_bytes(), lambda *damage: damages.append(damage)):
        if item.kind != decode.BATCH:
            continue
        for event in item.events():
            event["ancestors"], row = [], event["parent"]
            while row:
                event["ancestors"].append(item.processes[row - 1])
                row = item.processes[row - 1]["parent"]
            if event["daddr"] and len(event["daddr"]) == 4 and event["daddr"][0] == 127:
                event["i"] = int.from_bytes(event["daddr"][1:], "big")
            events.append(event)
    expect(not damages, f"damage: {damages}")
    return events


class Port:
    """A port that is closed and stays so."""

    def __init__(self):
        self.socket = socket.socket()
        self.socket.bind(("0.0.0.0", 0))
        self.number = self.socket.getsockname()[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def __str__(self):
        return str(self.number)


def programs():
    """The same program twice: even and odd numbers execute different paths."""
    paths = []
    for name in ("even", "odd"):
        path = harness.fresh(name)
        shutil.copy(BUILD / "tests/live/spawn", path)
        path.chmod(0o755)
        paths.append(str(path))
    return paths


def argv(*words):
    return b"".join(os.fsencode(str(word)) + b"\0" for word in words)


def tally(events, wanted):
    """How many of each are right and unknown; wrong ones end the test."""
    counts = collections.Counter()
    for event in events:
        for name, value in wanted(event["i"]).items():
            if event[name] == UNKNOWN[name] and value != UNKNOWN[name]:
                counts[name, "unknown"] += 1
                continue
            expect(event[name] == value,
                   f"connect {event['i']}: {name} {event[name]!r}, not {value!r}")
            counts[name, "right"] += 1
    return counts


def spawn(how, count, *rest, options=(), program=None):
    """Runs tests/live/spawn under the recorder. Returns the events, its pid, the two programs."""
    paths = programs()
    with Port() as port, record("-P", port, *options) as recorder:
        command = [program or paths[0], how, 0, count, port, *rest]
        if how in ("children", "reuse", "chain"):
            command += paths
        command = [str(word) for word in command]
        process = subprocess.Popen(command)
        expect(process.wait(PATIENCE) == 0, "the load failed")
        recorder.stop()
    events = events_of(recorder.trace)
    expect(sorted(e["i"] for e in events) == list(range(count + (how == "chain"))),
           f"{len(events)} events of {count}")
    return events, process.pid, command, paths


def share(counts, name, count, least):
    right = counts[name, "right"]
    print(f"# {name}: {right} of {count} right, the others unknown")
    expect(right >= least * count, f"{name}: only {right} of {count} are known")


def curl_loop(count, at_once):
    need("curl", "bash")
    exe = os.path.realpath(shutil.which("curl")).encode()
    with Port() as port, record("-P", port) as recorder:
        script = (f"for ((i = 0; i < {count}; i++)); do curl -s 127.0.$((i >> 8)).$((i & 255)):{port}/$i &"
                  f" (((i + 1) % {at_once})) || wait; done; wait; exit 0")
        shell = subprocess.Popen(["bash", "-c", script])
        expect(shell.wait(4 * PATIENCE) == 0, "the shell failed")
        recorder.stop()
    events = events_of(recorder.trace)
    expect(len(events) == count, f"{len(events)} events of {count}")
    counts = tally(events, lambda i: {
        "exe": exe, "ppid": shell.pid,
        "args": argv("curl", "-s", f"127.0.{i >> 8}.{i & 255}:{port}/{i}")})
    for name in ("exe", "args", "ppid"):
        share(counts, name, count, 0.99)


@test("processes: 2,000 times curl, one after the other: over 99 % described, none wrong")
def curls():
    curl_loop(2000, 1)


@test("processes: 400 times curl, eight at once: over 99 % described, none wrong")
def curls_at_once():
    curl_loop(400, 8)


def children(how, count, *rest, least):
    events, pid, command, paths = spawn(how, count, *rest)
    port = command[4]
    counts = tally(events, lambda i: {
        "exe": os.fsencode(paths[i % 2]), "args": argv(paths[i % 2], "once", i, port),
        "ppid": pid, "euid": 0})
    for name in ("exe", "args", "ppid"):
        share(counts, name, count, least)
    return events


# They live for a third of a millisecond: on a busy machine some are gone when we look.
@test("processes: 2,000 that fork, execute, connect and exit at once: none wrong")
def short_lives():
    events = children("children", 2000, 1, least=LEAST)
    number = re.compile(rb"\d+")  # the programs are called as harness.fresh() names files
    expect(all(number.match(e["comm"]) for e in events), "names")


@test("processes: 2,000 of them, eight at once: none wrong")
def short_lives_at_once():
    children("children", 2000, 8, least=LEAST)


@test("processes: 2,000 with the same pid, one after the other: none wrong")
def reuse():
    events = children("reuse", 2000, least=LEAST)
    expect(len({e["pid"] for e in events}) == 1, "they have different pids")


@test("processes: forks that do not execute: none wrong")
def forks():
    events, pid, command, paths = spawn("forks", 300)
    counts = tally(events, lambda i: {"exe": os.fsencode(paths[0]), "args": argv(*command),
                                      "ppid": pid})
    for name in ("exe", "args", "ppid"):
        share(counts, name, 300, LEAST)


@test("processes: 300 programs in one process, one connect each: none wrong")
def chain():
    events, _, command, paths = spawn("chain", 299)
    tally(events, lambda i: {
        "exe": os.fsencode(paths[i % 2]), "ppid": os.getpid(),
        "args": argv(paths[i % 2], "chain", i, 299 - i, command[4], *paths)})
    expect(len({e["pid"] for e in events}) == 1, "several processes")


@test("processes: threads have names of their own and their process in common")
def threads():
    events, pid, command, paths = spawn("threads", 100)
    for event in events:
        expect(event["comm"] == b"thread %d" % event["i"], f"{event['comm']}")
        expect(event["pid"] == pid != event["tid"], "ids")
    counts = tally(events, lambda i: {"exe": os.fsencode(paths[0]), "args": argv(*command),
                                      "ppid": os.getpid(), "euid": 0})
    share(counts, "exe", 100, LEAST)


@test("processes: effective users that change from connect to connect")
def users():
    events, _, command, paths = spawn("users", 50)
    counts = tally(events, lambda i: {"exe": os.fsencode(paths[0]), "args": argv(*command),
                                      "ppid": os.getpid(), "euid": 1000 + i})
    share(counts, "euid", 50, LEAST)


@test("processes: a program in memory has the name that /proc shows")
def memory():
    with Port() as port, record("-P", port) as recorder:
        command = [str(BUILD / "tests/live/spawn"), "memory", "7", str(port)]
        expect(subprocess.run(command, timeout=PATIENCE).returncode == 0, "the load failed")
        recorder.stop()
    (event,) = events_of(recorder.trace)
    wanted = b"/memfd:a (name) (deleted)"
    expect(event["exe"] in ((wanted,) if LEAST == 1 else (wanted, b"")), f"exe {event['exe']}")


class Waiting:
    """spawn wait NUMBER: a process that connects when it is told to."""

    def __init__(self, number, port, program=None, prefix=(), name=None, extra=(), **popen):
        program = str(program or BUILD / "tests/live/spawn")
        command = [*prefix, *([name] if name and not prefix else [program]), "wait", number, port, *extra]
        command = [word if isinstance(word, bytes) else str(word) for word in command]
        if name and not prefix:
            popen["executable"] = program
        self.args = command[len(prefix):]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, **popen)
        self.pid = self.process.pid

    def connect(self):
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()

    def end(self):
        self.process.stdin.close()
        expect(self.process.wait(PATIENCE) == 0, "the load failed")


def one(waiting, recorder):
    """Ends both; the one event."""
    waiting.end()
    recorder.stop()
    events = events_of(recorder.trace)
    expect(len(events) == 1, f"{len(events)} events")
    return events[0]


def settle(pid):
    """Until it sleeps: it has executed its program and waits."""
    def sleeps():
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rsplit(b")", 1)[1].split()[0] == b"S" and \
                b"wait" in open(f"/proc/{pid}/cmdline", "rb").read()
    wait_for(sleeps, "the process to sleep")


def exe_of(pid):
    try:
        return os.fsencode(os.readlink(f"/proc/{pid}/exe"))
    except PermissionError:  # of some, even for root
        return b""


def start_time(pid):
    with open(f"/proc/{pid}/stat", "rb") as file:
        return int(file.read().rsplit(b")", 1)[1].split()[19]) * 10_000_000


@test("processes: all that is stored of one that runs already, and of its ancestors")
def everything():
    with Port() as port:
        waiting = Waiting(77, port)
        settle(waiting.pid)
        with record("-P", port) as recorder:
            start = start_time(waiting.pid)
            ids = [int(open(f"/proc/{waiting.pid}/{name}").read()) for name in ("loginuid", "sessionid")]
            waiting.connect()
            event = one(waiting, recorder)
    expect(event["exe"] == os.fsencode(BUILD / "tests/live/spawn"), f"exe {event['exe']}")
    expect(event["args"] == argv(*waiting.args), f"args {event['args']}")
    expect((event["pid"], event["ppid"], event["start"]) == (waiting.pid, os.getpid(), start), "ids")
    expect((event["euid"], event["egid"]) == (os.geteuid(), os.getegid()), "effective ids")
    expect([event["loginuid"], event["audit session"]] == ids, "audit ids")
    expect(event["user"] == b"root" or os.getuid(), f"user {event['user']}")
    inode = lambda name: os.stat(f"/proc/self/ns/{name}").st_ino
    expect(event["mount namespace"] == inode("mnt") and event["pid namespace"] == inode("pid")
           and event["pid inside"] == waiting.pid, "namespaces")
    pid = os.getpid()
    for ancestor in event["ancestors"]:
        expect(ancestor["pid"] == pid and ancestor["start"] == start_time(pid),
               f"ancestor {ancestor['pid']}, not {pid}")
        expect(ancestor["comm"] == open(f"/proc/{pid}/comm", "rb").read()[:-1], "comm of an ancestor")
        expect(ancestor["exe"] == exe_of(pid), f"exe of an ancestor: {ancestor['exe']}")
        pid = int(open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[1])
    expect(pid == 0 or len(event["ancestors"]) == 16, f"the chain ends before {pid}")


@test("processes: a setuid program has its effective user, its caller the real one")
def setuid():
    paths = programs()
    os.chown(paths[1], 2, 2)
    os.chmod(paths[1], 0o4755)
    options = os.statvfs(paths[1]).f_flag
    if options & os.ST_NOSUID:
        raise harness.Skip("the file system of the tests is nosuid")
    with Port() as port, record("-P", port) as recorder:
        waiting = Waiting(1, port, program=paths[1], user=1, group=1)
        settle(waiting.pid)
        waiting.connect()
        event = one(waiting, recorder)
    expect((event["uid"], event["euid"], event["gid"], event["egid"]) == (1, 2, 1, 1),
           f"{event['uid']} {event['euid']} {event['gid']} {event['egid']}")
    expect(event["user"] == b"daemon", f"user {event['user']}")


@test("processes: one in namespaces of its own")
def namespaces():
    need("unshare")
    with Port() as port, record("-P", port) as recorder:
        waiting = Waiting(2, port, prefix=("unshare", "-U", "-r", "-m", "-p", "-f", "--kill-child"))
        children = f"/proc/{waiting.pid}/task/{waiting.pid}/children"
        wait_for(lambda: open(children).read().strip(), "the child")
        child = int(open(children).read())
        settle(child)
        inodes = [os.stat(f"/proc/{child}/ns/{name}").st_ino for name in ("mnt", "pid")]
        start = start_time(child)
        waiting.connect()
        event = one(waiting, recorder)
    expect((event["pid"], event["start"], event["ppid"]) == (child, start, waiting.pid), "ids")
    expect(event["pid inside"] == 1, f"pid inside {event['pid inside']}")
    expect([event["mount namespace"], event["pid namespace"]] == inodes, "inodes")
    expect((event["uid"], event["euid"]) == (os.getuid(), os.geteuid()), "ids of users are outer ones")


@test("processes: programs that are deleted, mounted elsewhere or below another root")
def paths_as_in_proc():
    need("unshare", "mount", "chroot")
    deep = harness.fresh("deep") / ("d" * 255) / "e" / "f"
    deep.mkdir(parents=True)
    program, directory = str(deep / "program"), str(deep)
    shutil.copy(BUILD / "tests/live/spawn", program)
    below = ["unshare", "-m", "sh", "-c",
             f"mkdir -p {deep}/m && mount --bind {deep} {deep}/m && exec \"$@\"", "sh"]
    # By itself; from a mount inside a mount namespace; that is its root; deleted.
    for i, (prefix, path) in enumerate([([], program), (below, f"{deep}/m/program"),
                                        (["chroot", directory], "/program"), ([], program)]):
        with Port() as port, record("-P", port) as recorder:
            waiting = Waiting(i, port, program=path, prefix=prefix)
            wait_for(lambda: b"/program" in exe_of(waiting.pid), "what came before to exec it")
            settle(waiting.pid)
            if i == 3:
                os.unlink(program)
            wanted = exe_of(waiting.pid)
            waiting.connect()
            event = one(waiting, recorder)
        expect(event["exe"] == wanted and wanted, f"{path}: exe {event['exe']}, not {wanted}")


@test("processes: hostile names are stored byte by byte")
def hostile():
    path = os.fsencode(harness.scratch) + b'/\n\033[31m"}\\x41\xff\xfe (deleted)'
    shutil.copy(BUILD / "tests/live/spawn", path)
    words = [b"\033]0;x\007", b"", b'"}', b"\n\n", b"\xff\xc0\x80", b"x" * 4096]
    with Port() as port, record("-P", port) as recorder:
        waiting = Waiting(3, port, program=os.fsdecode(path), name=b") S 1 1 (", extra=words)
        settle(waiting.pid)
        waiting.connect()
        event = one(waiting, recorder)
    expect(event["exe"] == path, f"exe {event['exe']}")
    whole = b"".join(word + b"\0" for word in
                     [b") S 1 1 (", b"wait", b"3", str(port).encode(), *words])
    expect(event["args"] == whole[:4095] + b"\0", f"args {event['args'][:80]}")
    expect(event["process flags"] & 1, "the cut is not said")
    expect(event["comm"] == os.path.basename(path)[:15], f"comm {event['comm']}")


CHANGING = """
import ctypes, os, socket, sys, time
libc, port, cgroup = ctypes.CDLL(None), int(sys.argv[1]), sys.argv[2]

def connect(number):
    with socket.socket() as s:
        s.connect_ex((f"127.0.0.{number}", port))

connect(1)
connect(2)
libc.prctl(15, b"renamed", 0, 0, 0)
connect(3)
os.setresgid(-1, 1234, -1)
connect(4)
open(cgroup + "/cgroup.procs", "w").write(str(os.getpid()))
connect(5)
libc.unshare(0x20000)
connect(6)
parent = os.getpid()
if os.fork():
    time.sleep(0.5)
    os._exit(0)
connect(7)
while os.getppid() == parent:
    time.sleep(0.01)
connect(8)
os.execv("/bin/sh", ["sh", "-c", 'exec "$0" -c "$1" "$2"', sys.executable,
    'import socket,sys; socket.socket().connect_ex(("127.0.0.9", int(sys.argv[1])))', str(port)])
"""


def make_cgroup(*names):
    """Where cgroup v2 is mounted, and the directory of a new one below."""
    root = next((line.split()[1] for line in open("/proc/mounts") if line.split()[2] == "cgroup2"), None)
    expect(root, "no cgroup v2")
    directory = os.path.join(root, *names)
    try:
        os.makedirs(directory)
    except OSError as error:
        raise harness.Skip(f"cannot make a cgroup: {error}") from error
    return root, directory


@test("processes: one thread, and each time something else of it has changed")
def changing():
    if not kernel_tells():
        raise harness.Skip("not all is told by this kernel")
    _, directory = make_cgroup(f"changing-{os.getpid()}")
    try:
        with Port() as port, record("-P", port) as recorder:
            command = [sys.executable, "-c", CHANGING, str(port), directory]
            result = subprocess.run(command, timeout=PATIENCE, capture_output=True)
            expect(not result.returncode and not result.stderr, f"the load failed: {result.stderr}")
            recorder.stop()
    finally:
        wait_for(lambda: removed(directory), "the cgroup to be empty")
    events = {event["i"]: event for event in events_of(recorder.trace)}
    expect(sorted(events) == list(range(1, 10)), f"events {sorted(events)}")
    names = ("pid", "ppid", "comm", "egid", "cgroup", "mount namespace", "exe", "args")
    changed = [{name for name in names if events[i][name] != events[i - 1][name]} for i in range(2, 10)]
    wanted = [set(), {"comm"}, {"egid"}, {"cgroup"}, {"mount namespace"}, {"pid", "ppid"}, {"ppid"}]
    expect(changed[:7] == wanted, f"changes {changed}")
    # dash takes its real group.
    expect({"comm", "args"} <= changed[7] <= {"comm", "args", "exe", "egid"}, f"changes {changed[7]}")
    expect(events[3]["comm"] == b"renamed" and events[4]["egid"] == 1234, "values")
    expect(events[5]["cgroup"] == os.fsencode("/" + os.path.basename(directory)), f"{events[5]['cgroup']}")


@test("processes: the cgroup, the container and the unit in it")
def cgroups():
    identity = "0123456789abcdef" * 4
    below = ["docker-%s.scope" % identity, 'we"}ird\033[31m\\x2d.service']
    root, directory = make_cgroup(*below)
    try:
        with Port() as port, record("-P", port) as recorder:
            waiting = Waiting(4, port)
            settle(waiting.pid)
            with open(os.path.join(directory, "cgroup.procs"), "w") as file:
                file.write(str(waiting.pid))
            time.sleep(1.1)  # what changes without notice is looked at again after a second
            waiting.connect()
            wait_for(lambda: recorder.counts_now()[1], "the event")
            event = one(waiting, recorder)
    finally:
        for depth in (2, 1):
            wait_for(lambda: removed(os.path.join(root, *below[:depth])), "the cgroup to be empty")
    expect(event["cgroup"] == os.fsencode("/" + "/".join(below)), f"cgroup {event['cgroup']}")
    expect(event["container"] == identity.encode(), f"container {event['container']}")
    expect(event["unit"] == os.fsencode(below[1]), f"unit {event['unit']}")


@test("processes: --no-args leaves every command line out of the file")
def no_args():
    secret = b"s3cr3t-%d" % os.getpid()
    for options, found in (([], True), (["--no-args"], False)):
        with Port() as port, record("-P", port, *options) as recorder:
            waiting = Waiting(5, port, extra=[secret])
            settle(waiting.pid)
            waiting.connect()
            event = one(waiting, recorder)
        expect(event["exe"], "no exe")
        expect((secret in recorder.trace.read_bytes()) == found, f"{options}: the secret")


@test("processes: a parent that ended is not the parent any more")
def orphan():
    with Port() as port, record("-P", port) as recorder:
        # The shell leaves it behind.
        program = BUILD / "tests/live/spawn"
        reading, writing = os.pipe()
        shell = subprocess.Popen(["sh", "-c", f"{program} wait 6 {port} <&{reading} & echo $!"],
                                 pass_fds=[reading], stdout=subprocess.PIPE)
        pid = int(shell.stdout.readline())
        shell.wait(PATIENCE)
        settle(pid)
        parent = int(open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[1])
        os.write(writing, b"\n")
        os.close(writing)
        os.close(reading)
        wait_for(lambda: not os.path.exists(f"/proc/{pid}"), "its end")
        recorder.stop()
    (event,) = events_of(recorder.trace)
    expect(event["ppid"] in (0, parent), f"parent {event['ppid']}, not {parent}")


@test("processes: sanitizers: many, with one pid, and several at once")
def sanitized():
    paths = programs()
    with Port() as port:
        with Recorder("--backend", "cgroup", "-P", str(port), build=harness.SANITIZED) as recorder:
            for how in (["reuse", "0", "300", port], ["children", "300", "300", port, 4]):
                command = [paths[0], *map(str, how), *paths]
                expect(subprocess.run(command, timeout=PATIENCE).returncode == 0, "the load failed")
            recorder.stop()
    tally(events_of(recorder.trace), lambda i: {
        "exe": os.fsencode(paths[i % 2]), "args": argv(paths[i % 2], "once", i, port)})
