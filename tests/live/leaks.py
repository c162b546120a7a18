"""Attempts that come to nothing leave nothing in the kernel."""
import random
import re
import signal
from pathlib import Path

from harness import BUILD, TOP, Recorder, Skip, expect, read, run, scratch, test, wait_for

PROCESSES = 4


def compile_entries():
    """The programs of tests/leaks that look into the maps of a recorder, in the scratch directory."""
    machine = run("uname", "-m").stdout.strip()
    for command in (["gcc", "-std=c11", "-D_GNU_SOURCE", "-O2", "-o", scratch / "entries",
                     TOP / "tests/leaks/entries.c", "-lbpf"],
                    ["clang", "-target", "bpf", "-O2", "-g", "-isystem",
                     f"/usr/include/{machine}-linux-gnu", "-c", "-o", scratch / "entries.bpf.o",
                     TOP / "tests/leaks/entries.bpf.c"]):
        result = run(*command)
        expect(result.returncode == 0, result.stderr)


def fdinfo(pid, key):
    """What the kernel says of the maps of a process."""
    texts = [path.read_text() for path in Path(f"/proc/{pid}/fdinfo").iterdir()]
    return re.findall(rf"^{key}:\s*(\d+)", "".join(texts), re.M)


def look():
    return run(scratch / "entries", "attempts", scratch / "entries.bpf.o")


def has_entries(pid):
    """Whether a socket has a value in a map of this recorder."""
    result = look()
    expect(result.returncode == 0, result.stderr)
    counts = dict(line.split() for line in result.stdout.splitlines())
    ours = [int(counts[number]) for number in fdinfo(pid, "map_id") if number in counts]
    expect(len(ours) == 1, f"maps {counts}, ours {ours}")
    return ours[0] > 0


def map_bytes(pid):
    return sum(map(int, fdinfo(pid, "memlock")))


def leave_nothing(attempts):
    compile_entries()
    # Others' attempts are not counted. No local port: a socket would connect to itself.
    port = random.randrange(10000, 32000)
    with Recorder("--backend", "cgroup", "-v", "-P", port, "-B", "32M", "--no-packets",
                  "--no-args") as recorder:
        before = map_bytes(recorder.pid)
        result = run("unshare", "-n", "sh", "-c", f". tests/live/network.sh && exec "
                     f"{BUILD}/tests/live/leaks {attempts} {PROCESSES} {port}", cwd=TOP, timeout=600)
        expect(result.returncode == 0, result.stderr)
        made = int(result.stdout)
        can_look = "Operation not permitted" not in look().stderr
        # Sockets are freed a grace period after they were closed.
        wait_for(lambda: not can_look or not has_entries(recorder.pid), "the kernel to free what belongs to the sockets")
        after = map_bytes(recorder.pid)
        recorder.send(signal.SIGTERM)
        status = recorder.wait()
    # 32M hold 50,000 attempts; of more some may be lost on a busy machine, and are counted.
    recorded, _, lost = recorder.last_counts()
    expect(status == 0 or lost, f"ended with {status}")
    expect("\ntcpconnect-rec: 0 attempts under way in the kernel" in "\n" + recorder.stderr(),
           recorder.stderr())
    expect(recorded + lost == made and (attempts > 50000 or not lost), f"{made} attempts, {recorded} recorded, {lost} lost")
    results, _ = read("-q", "-r", recorder.trace, "--top", "result", "--csv", status=status)
    counts = {line.split(",")[0]: int(line.split(",")[1]) for line in results.splitlines()[1:]}
    expect(lost or set(counts) == {"ECONNREFUSED", "failed", "abandoned"}, f"results {counts}")
    expect(after == before, f"the maps took {before} bytes, now {after}")
    if not can_look:
        raise Skip("this kernel refuses to run BPF iterators; all else of it passed")
    print(f"{made} attempts, {lost} lost: {counts}; no socket has a value left, the maps take {after} bytes")


@test("50,000 failed and abandoned attempts leave no value with any socket")
def few():
    leave_nothing(50000)
