"""--compress gzip: finished files are gzip as a whole, and all that goes for others goes for them."""
import signal
import subprocess

from disks import rewrite_error
from harness import (BUILD, COMPARED, PATIENCE, Load, compare, connects, expect, fresh, fresh_uids, need, read,
                     rows_of, run, same, test, wait_for)
from numbered import (NAME, Numbered, closed_in_order, count_in, files_of, fresh_directory,
                      packets_stand_before_their_batch, plain, rows_in)
from rotation import MODES, kill_at_random

GZIP = ("--compress", "gzip")


def is_gzip(path):
    return path.read_bytes().startswith(b"\x1f\x8b")


def answer(path, *options):
    """Of a file, which may have nothing in it: the second of the rotation in which all was over."""
    stdout, stderr = read("-r", path, *options)
    expect(stderr in ("", f"tcpconnect-read: {path}: no connect events in it\n"), stderr)
    return stdout.replace(str(path), ""), stderr.replace(str(path), "")


@test("--compress gzip: finished files are gzip with all their packets, the one being written is not")
def finished():
    need("gzip")
    uid, directory = fresh_uids(1)[0], fresh_directory()
    done = directory / "done"
    with Numbered(directory, "-G", 1, "-u", uid, *GZIP, "--print-finished", "--exec",
                  f"sh -c 'gzip -t < $0 && echo $0 >> {done}'", packets=True) as recorder:
        log = connects(20000, "-k", 2, "-u", uid, "-m", MODES, "-r", 5000)
        expect(not any(map(is_gzip, files_of(directory, ".part"))), "a .part is compressed")
        counts = recorder.stop()
    expect(counts[0] == len(log) and counts[2] == 0, f"{counts}")
    files = files_of(directory)
    expect(len(files) >= 4 and all(map(is_gzip, files)), f"{files}")
    expect(sorted(recorder.stdout().split()) == sorted(map(str, files)), recorder.stdout())
    wait_for(lambda: done.exists() and len(done.read_text().split()) == len(files), "gzip -t of all")
    same(log, rows_in(directory))
    closed_in_order(directory)
    wholes = []
    for path in files:
        packets_stand_before_their_batch(path)
        whole = fresh("pcapng")
        whole.write_bytes(plain(path))
        wholes.append(whole)
        for options in ("-j",), ("-j", "-u", uid), ("-j", "-u", "4711"), ("--top", "comm"), ("--summary",):
            expect(answer(path, *options) == answer(whole, *options), f"{path}: {options}")
    checked = run("tests/decode.py", "--check", *wholes)
    expect(checked.returncode == 0, checked.stdout)
    taken, sizes = sum(p.stat().st_size for p in files), sum(len(plain(p)) for p in files)
    print(f"{taken / len(log):.1f} bytes per event, {sizes / len(log):.1f} without")
    expect(taken < sizes / 3, f"{taken} of {sizes} bytes")


@test("--compress gzip: -f follows from file to file")
def followed():
    uid, directory = fresh_uids(1)[0], fresh_directory()
    out = fresh("stdout")
    with Numbered(directory, "-G", 1, "-u", uid, *GZIP, packets=True) as recorder:
        before = connects(1000, "-u", uid, "-m", MODES)
        wait_for(lambda: files_of(directory), "a finished file")
        with open(out, "wb") as file:
            follower = subprocess.Popen([BUILD / "tcpconnect-read", "-f", "-r", directory, "-o", COMPARED],
                                        stdout=file, stderr=subprocess.PIPE, text=True)
        try:
            log = before + connects(15000, "-k", 2, "-u", uid, "-m", MODES, "-r", 5000)
            recorder.stop()
            wait_for(lambda: len(out.read_text().splitlines()) > len(log), "the rows")
        finally:
            follower.send_signal(signal.SIGINT)
            said = follower.communicate(timeout=PATIENCE)[1]
    expect(len([p for p in files_of(directory) if is_gzip(p)]) >= 3, f"{files_of(directory)}")
    same(log, compare.read_rows(out.read_text().splitlines()))
    # The first file may be over before the first connect.
    expect(not [line for line in said.splitlines() if not line.endswith(": no connect events in it")],
           f"the reader said: {said}")


@test("--compress gzip: what a dead run left is finished, also a file that was complete; numbers go on")
def adopted():
    uid, directory = fresh_uids(1)[0], fresh_directory()
    with Numbered(directory, "-G", 3600, "-u", uid, *GZIP, packets=True) as recorder:
        log = connects(1000, "-u", uid, "-m", MODES)
        recorder.stop()
    path, = files_of(directory)
    part = path.with_name(path.name + ".part")
    path.rename(part)  # as between the two steps of its replacement
    with Numbered(directory, "-G", 3600, "-u", uid, *GZIP, packets=True) as recorder:
        wait_for(path.exists, "the file of the dead run")
        log += connects(500, "-u", uid, "-m", MODES)
        recorder.send(signal.SIGUSR2)
        wait_for(lambda: count_in(files_of(directory, ".part")) == 500, "a batch")
        recorder.process.kill()
        recorder.process.wait()
    with Numbered(directory, "-G", 3600, "-u", uid, *GZIP, packets=True) as recorder:
        recorder.stop()
    files = files_of(directory)
    expect([NAME.fullmatch(p.name)[1] for p in files] == ["00001", "00002", "00003"], f"{files}")
    expect(all(map(is_gzip, files)) and len(files) == len(list(directory.iterdir())), f"{files}")
    same(log, rows_in(directory))
    closed_in_order(directory)


@test("--compress gzip: --keep counts what files take when they are compressed")
def kept():
    uid, directory = fresh_uids(1)[0], fresh_directory()
    with Numbered(directory, "-C", "100K", "--keep", "1M", "-u", uid, *GZIP, packets=True) as recorder:
        log = connects(12000, "-k", 2, "-u", uid, "-m", MODES, "-r", 4000)
        recorder.stop()
    files = files_of(directory)
    taken = sum(p.stat().st_size for p in files)
    expect(all(map(is_gzip, files)) and taken <= 1 << 20, f"{taken} bytes in {files}")
    expect(sum(len(plain(p)) for p in files) > 1 << 20, "the plain size was counted")
    same(log, rows_in(directory), subset=True)


@test("--compress gzip: a file that is damaged or cut is said to be, the rest is read")
def damaged():
    uid, directory = fresh_uids(1)[0], fresh_directory()
    with Numbered(directory, "-G", 3600, "-u", uid, *GZIP, packets=True) as recorder:
        log = connects(3000, "-u", uid, "-m", MODES)
        recorder.stop()
    path, = files_of(directory)
    data = path.read_bytes()
    torn, bad = fresh("pcapng"), fresh("pcapng")
    torn.write_bytes(data[:-200])
    same(log, rows_of(torn, status=3), subset=True)
    _, said = read("-r", torn, status=3)
    expect("the gzip data end too early" in said, said)
    packets = bytearray(data)
    packets[len(data) // 3] ^= 1  # packets are not read
    bad.write_bytes(packets)
    same(log, rows_of(bad))


@test("--compress gzip: EIO while a file is finished: it stays as it was recorded")
def rewritten_not():
    def check(directory):
        expect([is_gzip(path) for path in files_of(directory)] == [False, True], "which are gzip")
    rewrite_error(check, *GZIP)


@test("--compress gzip: kill -9 at 60 moments: each whole batch is there once")
def killed():
    kill_at_random(60, *GZIP)
