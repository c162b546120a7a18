"""Numbered files: when the next one begins, what they are called, how they are finished."""
import contextlib
import os
import random
import signal
import time

from harness import (BUILD, Load, Recorder, blocks_of, connects, expect, fresh_uids, need, read,
                     rows_of, run, same, test, wait_for)
from numbered import (NAME, Numbered, closed_in_order, count_in, files_of, fresh_directory, rows_in,
                      spans_in)

MODES = "v4,v6,closed4"


@test("-G 1: files begin at full seconds, each connect is in one of them, all are finished")
def by_time():
    uid, directory = fresh_uids(1)[0], fresh_directory()
    with Numbered(directory, "-G", 1, "-u", uid) as recorder:
        log = connects(8000, "-k", 2, "-u", uid, "-m", MODES, "-r", 2000)
        counts = recorder.stop()
    expect(counts[0] == len(log) and counts[2] == 0, f"{counts}")
    same(log, rows_in(directory))
    closed_in_order(directory)
    files = files_of(directory)
    expect(len(files) >= 4, f"{len(files)} files in four seconds")
    expect(len(files) == len(list(directory.iterdir())), f"{list(directory.iterdir())}")
    expect([int(NAME.fullmatch(path.name)[1]) for path in files] == list(range(1, 1 + len(files))),
           f"{files}")
    expect(run("tests/decode.py", "--check", *files).returncode == 0,
           run("tests/decode.py", "--check", *files).stdout)


@test("finished files have the packets of the file that was written")
def with_packets():
    need("tshark")
    uid, directory = fresh_uids(1)[0], fresh_directory()
    with Numbered(directory, "-G", 1, "-u", uid, packets=True) as recorder:
        log = connects(3000, "-u", uid, "-m", MODES, "-r", 1500)
        recorder.stop()
    same(log, rows_in(directory))
    closed_in_order(directory)
    ports = []
    for path in files_of(directory):
        result = run("tshark", "-r", path, "-Y", "tcp", "-T", "fields", "-e", "tcp.srcport")
        expect(result.returncode == 0, result.stderr)
        ports += result.stdout.split()
    expect(sorted(ports) == sorted(row["lport"] for row in log), f"{len(ports)} packets")


@test("an idle recorder begins its next file too, and sleeps in between")
def idle():
    uid, directory = fresh_uids(1)[0], fresh_directory()
    with Numbered(directory, "-G", 1, "-u", uid) as recorder:
        wait_for(lambda: len(files_of(directory)) >= 3, "three files without connects")
        recorder.stop()
    expect(not rows_in(directory), "rows out of nowhere")
    closed_in_order(directory)


@test("-C 16K: files that grow to that, each batch in one of them")
def by_size():
    uid, directory = fresh_uids(1)[0], fresh_directory()
    with Numbered(directory, "-C", "16K", "--flush-interval", 50, "-u", uid) as recorder:
        log = connects(6000, "-k", 2, "-u", uid, "-m", MODES, "-r", 3000)
        recorder.stop()
    same(log, rows_in(directory))
    closed_in_order(directory)
    expect(len(files_of(directory)) > 3, f"{len(files_of(directory))} files")


@test("-C: no file grows beyond it by more than one event, with and without packets")
def bounded():
    for packets, kilobytes in (False, 16), (True, 64):
        uid, directory = fresh_uids(1)[0], fresh_directory()
        # A batch of so many events with their packets would be 2 MB.
        with Numbered(directory, "-C", f"{kilobytes}K", "--flush-interval", 3600000, "--compress", "none",
                      "-u", uid, packets=packets) as recorder:
            log, sizes = [], {}
            for _ in range(4):
                log += connects(2000, "-k", 2, "-u", uid, "-m", MODES)
                for path in files_of(directory, ".part"):
                    with contextlib.suppress(FileNotFoundError):  # it has just got its name
                        sizes[path.name] = max(path.stat().st_size, sizes.get(path.name, 0))
            recorder.stop()
        same(log, rows_in(directory))
        closed_in_order(directory)
        sizes = sorted([path.stat().st_size for path in files_of(directory)] + [*sizes.values()])
        print(f"packets {packets}: {len(files_of(directory))} files of {sizes[0]} to {sizes[-1]} bytes")
        expect(len(files_of(directory)) > 3, "one file")
        expect(sizes[-1] <= (kilobytes << 10) + 4096, f"{sizes[-1]} bytes")
        expect(sizes[len(sizes) // 2] > kilobytes << 9, f"most files are small: {sizes}")


@test("limits alone make files that end: --keep SIZE at a tenth of it")
def implied():
    uid, directory = fresh_uids(1)[0], fresh_directory()
    with Numbered(directory, "--keep", "1M", "-u", uid, packets=True) as recorder:
        log = connects(10000, "-k", 2, "-u", uid, "-m", MODES, "-r", 5000)
        recorder.stop()
    taken = sum(path.stat().st_blocks * 512 for path in directory.iterdir())
    expect(taken <= 1 << 20, f"{taken} bytes")
    expect(len(files_of(directory)) > 3, f"{files_of(directory)}")
    same(log, rows_in(directory), subset=True)


@test("-C and -G together; names go on behind those of an earlier run and replace none")
def restarted():
    uid, directory = fresh_uids(1)[0], fresh_directory()
    old = directory / "out_00041_20200101T000000Z.pcapng.gz"
    old.write_bytes(b"old")
    log = []
    for _ in range(3):
        with Numbered(directory, "-C", "1M", "-G", 3600, "-u", uid) as recorder:
            log += connects(500, "-u", uid, "-m", MODES)
            recorder.stop()
    numbers = [int(NAME.fullmatch(path.name)[1]) for path in files_of(directory)]
    expect(numbers == [42, 43, 44], f"{numbers}")
    expect(old.read_bytes() == b"old", "an old file was touched")
    same(log, rows_in(directory))


@test("finished files hold full, compressed batches; the file being written holds many")
def rewritten():
    uid, directory = fresh_uids(1)[0], fresh_directory()
    with Numbered(directory, "-G", 3600, "--flush-interval", 20, "-u", uid) as recorder:
        log = connects(20000, "-k", 2, "-u", uid, "-m", MODES, "-r", 10000)
        part, = files_of(directory, ".part")
        live = [b for b in blocks_of(part.read_bytes()) if b.kind == 2]
        size = part.stat().st_size
        recorder.stop()
    path, = files_of(directory)
    data = path.read_bytes()
    batches = [b for b in blocks_of(data) if b.kind == 2]
    same(log, rows_in(directory))
    print(f"{len(live)} batches, {size} bytes live; {len(batches)}, {len(data)} bytes finished")
    expect(len(batches) < 6 < len(live), f"{len(live)} batches live, {len(batches)} finished")
    expect(all(data[b.record + 182] == 1 for b in batches), "not compressed")
    expect(max(b.length for b in batches) <= 262144 + 16, "a block of more than 256 KiB")
    expect(len(data) < size * 0.7, f"{size} bytes before, {len(data)} after")
    result = run("tests/decode.py", "--check", path)
    expect(result.returncode == 0, result.stdout)


@test("--compress none: finished files are not compressed; zstd: batches are as they come")
def compression():
    for choice, kind in ("none", 0), ("zstd", 1):
        uid, directory = fresh_uids(1)[0], fresh_directory()
        with Numbered(directory, "-G", 3600, "--compress", choice, "-u", uid) as recorder:
            log = connects(500, "-u", uid)
            wait_for(lambda: count_in(files_of(directory, ".part")) == 500,
                     "the batch")
            data = files_of(directory, ".part")[0].read_bytes()
            live = max(data[b.record + 182] for b in blocks_of(data) if b.kind == 2)
            recorder.stop()
        data = files_of(directory)[0].read_bytes()
        finished = {data[b.record + 182] for b in blocks_of(data) if b.kind == 2 and b.events}
        expect(live == kind and finished == {kind}, f"{choice}: {live} live, {finished} finished")
        same(log, rows_in(directory))


@test("HUP begins the next file; with a plain -w FILE a numbered one, FILE stays complete")
def hangup():
    uid, directory = fresh_uids(1)[0], fresh_directory()
    with Recorder("-u", uid) as recorder:
        log = connects(100, "-u", uid)
        recorder.send(signal.SIGHUP)
        first = recorder.trace
        pattern = first.name.replace(".pcapng", "_00001_*.pcapng")
        wait_for(lambda: list(first.parent.glob(pattern + ".part")), "the next file")
        more = connects(100, "-u", uid)
        recorder.stop()
    second, = first.parent.glob(pattern)
    same(log + more, rows_of(first) + rows_of(second))
    same(log, rows_of(first), subset=True)
    expect(rows_of(second), "nothing after HUP")
    with Numbered(directory, "-G", 3600, "-u", uid) as recorder:
        recorder.send(signal.SIGHUP)
        wait_for(lambda: len(files_of(directory)) == 1, "the first file")
        recorder.stop()
    expect(len(files_of(directory)) == 2, f"{files_of(directory)}")


@test("--print-finished and --exec: each file, the last one too, once it has its name")
def announced():
    uid, directory = fresh_uids(1)[0], fresh_directory()
    done = directory / "done"
    command = f"sh -c 'test -s $0 && echo $0 $(nice) >> {done}'"
    with Numbered(directory, "-G", 1, "-u", uid, "--print-finished", "--exec", command) as recorder:
        wait_for(lambda: len(files_of(directory)) >= 2, "two files")
        recorder.stop()
    names = sorted(map(str, files_of(directory)))
    expect(sorted(recorder.stdout().split()) == names, recorder.stdout())
    wait_for(lambda: done.exists() and len(done.read_text().splitlines()) == len(names),
             "the commands")
    expect(sorted(done.read_text().splitlines()) == [f"{name} 19" for name in names],
           done.read_text())


@test("a second recorder of the same name: one line, exit 1; of another name: no matter")
def two():
    directory = fresh_directory()
    with Numbered(directory, "-G", 3600) as recorder:
        second = run(BUILD / "tcpconnect-rec", "-G", 60, "-w", directory / "out.pcapng")
        expect(second.returncode == 1 and "another tcpconnect-rec records to this name"
               in second.stderr, f"{second.returncode}: {second.stderr}")
        other = run(BUILD / "tcpconnect-rec", "-G", 60, "-w", directory / "more.pcapng",
                    "--duration", 1)
        expect(other.returncode == 0, other.stderr)
        recorder.stop()
    with Recorder() as recorder:
        second = run(BUILD / "tcpconnect-rec", "--overwrite", "-w", recorder.trace)
        expect(second.returncode == 1 and "another tcpconnect-rec is writing to it"
               in second.stderr, f"{second.returncode}: {second.stderr}")
        recorder.stop()


@test("files are of mode 0600, whatever the umask")
def private():
    directory = fresh_directory()
    old = os.umask(0)
    try:
        with Numbered(directory, "-G", 1) as recorder:
            wait_for(lambda: files_of(directory), "a file")
            recorder.stop()
    finally:
        os.umask(old)
    modes = {path.stat().st_mode & 0o777 for path in files_of(directory)}
    expect(modes == {0o600}, f"{modes}")


# Retention.

def old_file(directory, number, size=4096, days=0, ending=""):
    path = directory / f"out_{number:05}_20200101T000000Z.pcapng{ending}"
    path.write_bytes(bytes(size))
    when = time.time() - days * 86400
    os.utime(path, (when, when))
    return path


def expired(directory, *options):
    result = run(BUILD / "tcpconnect-rec", "-w", directory / "out.pcapng", "--list-expired",
                 *options)
    expect(result.returncode == 0, result.stderr)
    return [os.path.basename(line)[4:9] for line in result.stdout.split()]


@test("--list-expired names what -W, --keep, --keep-days would delete, and deletes nothing")
def list_expired():
    directory = fresh_directory()
    for number in range(1, 7):
        old_file(directory, number, days=10 - number, ending=".gz" if number == 2 else "")
    foreign = ["out.pcapng", "out_1_20200101T000000Z.pcapng", "out_00001_x.pcapng",
               "other_00001_20200101T000000Z.pcapng", "out_00001_20200101T000000Z.pcapng.bak"]
    for name in foreign:
        (directory / name).write_bytes(bytes(4096))
    (directory / "out_00000_20200101T000000Z.pcapng").symlink_to("out.pcapng")
    before = sorted(directory.iterdir())
    expect(expired(directory, "-W", 4) == ["00001", "00002"], f"{expired(directory, '-W', 4)}")
    expect(expired(directory, "--keep", "12K") == ["00001", "00002", "00003"],
           f"{expired(directory, '--keep', '12K')}")
    expect(expired(directory, "--keep-days", 7) == ["00001", "00002"],
           f"{expired(directory, '--keep-days', 7)}")
    expect(expired(directory, "--min-free", 1) == [], "deletes though there is room")
    expect(expired(directory, "--min-free", 1 << 60) == [f"{n:05}" for n in range(1, 7)],
           "not all, though nothing suffices")
    expect(sorted(directory.iterdir()) == before, "something was deleted")


@test("-W 3: three files stay, those of earlier runs count, foreign ones do not")
def keep_files():
    directory = fresh_directory()
    for number in range(1, 6):
        old_file(directory, number, ending=".zst" if number % 2 else "")
    (directory / "keep_me_00001_20200101T000000Z.pcapng").touch()
    with Numbered(directory, "-G", 1, "-W", 3) as recorder:
        wait_for(lambda: any(path.name > "out_00008" for path in files_of(directory)),
                 "some files")
        recorder.stop()
    left = sorted(path.name for path in directory.iterdir() if path.name.startswith("out"))
    expect(len(left) == 3 and left[0] > "out_00006", f"{left}")
    expect((directory / "keep_me_00001_20200101T000000Z.pcapng").exists(), "deleted a foreign file")


@test("--keep: the files never take more than that, and the newest stay")
def keep_size():
    for packets, kilobytes in (False, 200), (True, 500):
        uid, directory = fresh_uids(1)[0], fresh_directory()
        for number in range(1, 60):
            old_file(directory, number, size=16384)
        with Numbered(directory, "-C", "16K", "--keep", f"{kilobytes}K", "--flush-interval", 50,
                      "-u", uid, packets=packets) as recorder:
            log = connects(8000, "-k", 2, "-u", uid, "-m", MODES, "-r", 4000)
            recorder.stop()
        taken = sum(path.stat().st_blocks * 512 for path in directory.iterdir())
        expect(taken <= kilobytes << 10, f"{taken} bytes")
        for path in directory.glob("out_000[0-5]*_2020*"):
            path.unlink()
        same(log, rows_in(directory), subset=True)
        expect(rows_in(directory), "nothing is left")


def dead_part(directory, uid):
    """What a run leaves that was killed: a .part, here ten days old. Returns its log."""
    with Numbered(directory, "-G", 3600, "-u", uid) as recorder:
        log = connects(100, "-u", uid, "-m", MODES)
        recorder.send(signal.SIGUSR2)
        wait_for(lambda: count_in(files_of(directory, ".part")) == 100, "a batch")
        recorder.process.kill()
        recorder.process.wait()
    when = time.time() - 10 * 86400
    os.utime(files_of(directory, ".part")[0], (when, when))
    return log


@test("-W and --keep-days count what dead runs left: .part files and compressed ones")
def leftovers():
    uid, directory = fresh_uids(1)[0], fresh_directory()
    old_file(directory, 1, days=20, ending=".gz")
    log = dead_part(directory, uid)
    expect(expired(directory, "--keep-days", 30) == [], "too early")
    expect(expired(directory, "--keep-days", 9) == ["00001", "00002"], "dry run")
    with Numbered(directory, "-G", 3600, "--keep-days", 15, "-u", uid) as recorder:
        wait_for(lambda: [p.name[4:9] for p in files_of(directory)] == ["00002"], "the first to go")
        recorder.stop()
    same(log, rows_in(directory))
    with Numbered(directory, "-G", 3600, "--keep-days", 9, "-u", uid) as recorder:
        recorder.stop()
    left = sorted(path.name[4:9] for path in directory.iterdir())
    expect("00002" not in left and "00003" in left, f"it is ten days old, though finished later: {left}")
    old_file(directory, 5, ending=".zst")
    log = dead_part(directory, uid)
    with Numbered(directory, "-G", 3600, "-W", 2, "-u", uid) as recorder:
        recorder.stop()
    left = sorted(path.name[4:9] for path in directory.iterdir())
    expect(left == ["00006", "00007"], f"{left}")
    same(log, rows_in(directory))


# What a crash leaves.

@test("a .part that a crash left is cut to its last whole block, finished and named")
def adopted():
    uid, directory = fresh_uids(1)[0], fresh_directory()
    with Numbered(directory, "-G", 3600, "-u", uid) as recorder:
        log = connects(1000, "-u", uid, "-m", MODES)
        recorder.send(signal.SIGUSR2)
        wait_for(lambda: count_in(files_of(directory, ".part")) == 1000, "a batch")
        recorder.process.kill()
        recorder.process.wait()
    part, = files_of(directory, ".part")
    with open(part, "ab") as file:
        file.write(b"\xad\x0b\0\0\x10\x27\0\0torn")
    (directory / "out_00002_20200101T000000Z.pcapng.part").touch()  # killed before its head
    (directory / (part.stem + ".new")).write_bytes(b"half a file")
    with Numbered(directory, "-G", 3600, "-u", uid) as recorder:
        wait_for(lambda: part.with_suffix("").exists(), "the file of the dead run")
        recorder.stop()
    same(log, rows_in(directory))
    closed_in_order(directory)
    expect(not files_of(directory, ".part") and not files_of(directory, ".new"),
           f"{list(directory.iterdir())}")


def kill_at_random(moments, *options):
    uid, directory = fresh_uids(1)[0], fresh_directory()
    seed = int.from_bytes(os.urandom(4), "little")
    random.seed(seed)
    load = Load(10**6, "-k", 2, "-u", uid, "-m", MODES, "-r", 5000, start_new_session=True)
    before, seen, parts = set(), set(), 0
    try:
        for _ in range(moments):
            with Numbered(directory, "-C", "16K", "--flush-interval", 2, "-u", uid, *options) as recorder:
                time.sleep(random.random() * 0.3)
                recorder.process.kill()
                recorder.process.wait()
            left = files_of(directory, ".part")
            parts += len(left)
            for path in files_of(directory) + left:
                if path not in seen:
                    before.update(spans_in(path))
                if path not in left:  # a finished file does not change any more
                    seen.add(path)
    finally:
        os.killpg(load.process.pid, signal.SIGKILL)
        load.process.communicate()
    with Numbered(directory, "-G", 3600, "-u", uid, *options) as recorder:
        recorder.stop()
    files = files_of(directory)
    now = sorted(span for path in files for span in spans_in(path))
    twice = [b for a, b in zip(now, now[1:]) if a[0] == b[0] and b[1] < a[2]]
    have = {(session, number) for session, first, end in now for number in range(first, end)}
    must = {(session, number) for session, first, end in before for number in range(first, end)}
    print(f"seed {seed}: {moments} kills left {parts} .part files; {len(files)} files, "
          f"{len(have)} events, {len(must)} were there before")
    expect(must and parts > moments / 2, "nothing was recorded")
    expect(not twice and must <= have, f"{len(twice)} batches twice, {len(must - have)} gone")
    expect(not files_of(directory, ".part") and not files_of(directory, ".new"),
           f"{[p for p in directory.iterdir() if p.suffix != '.pcapng']}")
    read(*(part for path in files for part in ("-r", path)))  # each without complaint


@test("kill -9 at 200 moments of rotation and rewriting: each whole batch is there once")
def killed():
    kill_at_random(200)
