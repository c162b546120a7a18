"""What happens to disks, directories and processes: nothing is lost without being counted."""
import contextlib
import os
import resource
import shutil
import signal
import subprocess
import time

from harness import (BUILD, PATIENCE, Load, Recorder, Skip, connects, expect, fresh, fresh_uids,
                     need, rows_of, run, same, test, wait_for)
from numbered import (Numbered, closed_in_order, count_in, files_of, fresh_directory,
                      packets_stand_before_their_batch, rows_in)

MODES = "v4,v6,closed4"


@contextlib.contextmanager
def mounted(*arguments):
    where = fresh_directory()
    result = run("mount", *arguments, where)
    if result.returncode:
        raise Skip(f"mount {' '.join(map(str, arguments))}: {result.stderr.strip()}")
    try:
        yield where
    finally:
        run("umount", "-l", where)


@contextlib.contextmanager
def loop_mounted(megabytes, *mkfs, below=None):
    """A file system in a file, in the directory below: gives its block device and where it is
    mounted."""
    need("losetup", mkfs[0])
    image = below / "image" if below else fresh("image")
    with open(image, "wb") as file:
        file.truncate(megabytes << 20)
    made = run(*mkfs, image)
    expect(made.returncode == 0, made.stderr)
    device = run("losetup", "-f", "--show", image)
    if device.returncode:
        raise Skip(f"no loop device: {device.stderr.strip()}")
    try:
        with mounted(device.stdout.strip()) as where:
            yield device.stdout.strip(), where
    finally:
        run("losetup", "-d", device.stdout.strip())


def account(recorder, log, directory, status):
    """Recorded and lost are the log; the rows are those recorded. Returns both."""
    recorded, _, lost = recorder.last_counts()
    rows = rows_in(directory, status=(0, 3))
    expect(recorded + lost == len(log), f"{recorded} recorded + {lost} lost, {len(log)} made")
    expect(len(rows) == recorded, f"{recorded} recorded, {len(rows)} rows")
    same(log, rows, subset=True)
    expect((status == 3) == bool(lost), f"exit {status} with {lost} lost")
    print(f"{len(log)} made, {recorded} recorded, {lost} lost and counted")
    return recorded, lost


def says(recorder, text):
    wait_for(lambda: text in recorder.stderr(), f"{text!r}: {recorder.stderr()}")


def fill(directory):
    """Takes all the room that is left."""
    ballast = directory / "ballast"
    with open(ballast, "wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    return ballast


@test("disk full, then space again: it goes on by itself, losses are counted, the reader tells")
def disk_full():
    for packets, megabytes in (False, 2), (True, 8):
        uid = fresh_uids(1)[0]
        with mounted("-t", "tmpfs", "-o", f"size={megabytes}M", "none") as directory:
            with Numbered(directory, "-C", "256K", "--queue", "64K", "--flush-interval", 50,
                          "-u", uid, packets=packets) as recorder:
                log = connects(1000, "-u", uid, "-m", MODES)
                ballast = fill(directory)
                log += connects(12000, "-k", 2, "-u", uid, "-m", MODES, "-r", 4000)
                says(recorder, "cannot write: No space left")
                ballast.unlink()
                # It may have been so before: finished files are made smaller.
                wait_for(lambda: recorder.stderr().rfind("writing again") >
                         recorder.stderr().rfind("trying again"), "it to write again")
                log += connects(1000, "-u", uid, "-m", MODES)
                recorder.stop(status=3)
            recorded, lost = account(recorder, log, directory, 3)
            files = files_of(directory)
            # Together: losses may lie between two of them.
            said = run(BUILD / "tcpconnect-read", "-q", "-r", directory).stderr
            expect(lost and f"{lost} events were lost while recording" in said, f"{lost} lost, said: {said}")
            expect("missing" not in said, said)
            for path in files if packets else []:
                packets_stand_before_their_batch(path)
            result = run("tests/decode.py", "--check", *files)
            expect(result.returncode == 0, result.stdout[:2000] + result.stderr[-2000:])


@contextlib.contextmanager
def on_a_full_disk(uid):
    """A recorder that finds no room any more, its directory, what it has written, what takes the room."""
    with mounted("-t", "tmpfs", "-o", "size=1M", "none") as directory:
        with Numbered(directory, "-G", 3600, "--queue", "64K", "--flush-interval", 50,
                      "-u", uid) as recorder:
            log = connects(500, "-u", uid, "-m", MODES)
            wait_for(lambda: count_in(files_of(directory, ".part")) == 500, "the first batches")
            yield recorder, directory, log, fill(directory)


@test("space again only when it ends: the reader tells of all that found no room before")
def disk_full_until_the_end():
    uid = fresh_uids(1)[0]
    with on_a_full_disk(uid) as (recorder, directory, log, ballast):
        while not recorder.counts_now()[3]:
            log += connects(2000, "-k", 2, "-u", uid, "-m", MODES, "-r", 4000)
        ballast.unlink()
        recorder.stop(status=3)
        _, lost = account(recorder, log, directory, 3)
        said = run(BUILD / "tcpconnect-read", "-q", "-r", directory).stderr
        expect(f"{lost} events were lost while recording" in said, f"{lost} lost, said: {said}")


@test("disk full to the end: what was written is complete, the rest is counted, exit 3")
def disk_full_for_good():
    uid = fresh_uids(1)[0]
    with on_a_full_disk(uid) as (recorder, directory, log, _):
        log += connects(8000, "-k", 2, "-u", uid, "-m", MODES, "-r", 4000)
        recorder.stop(status=3)
        account(recorder, log, directory, 3)


@test("disk full with --keep: the oldest files make room, nothing is lost")
def disk_full_expires():
    uid = fresh_uids(1)[0]
    with mounted("-t", "tmpfs", "-o", "size=1M", "none") as directory:
        for number in range(1, 80):
            (directory / f"out_{number:05}_20200101T000000Z.pcapng").write_bytes(bytes(8192))
        with Numbered(directory, "-C", "64K", "--min-free", "200K", "-u", uid) as recorder:
            fill(directory)
            log = connects(6000, "-k", 2, "-u", uid, "-m", MODES, "-r", 4000)
            recorder.stop()
        for path in directory.glob("out_*_20200101T*"):
            path.unlink()
        account(recorder, log, directory, 0)


@test("no inode left: an error that says so, then it goes on")
def no_inodes():
    uid = fresh_uids(1)[0]
    with mounted("-t", "tmpfs", "-o", "size=4M,nr_inodes=10", "none") as directory:
        with Numbered(directory, "-G", 3600, "-u", uid) as recorder:
            log = connects(500, "-u", uid, "-m", MODES)
            fillers = []
            with contextlib.suppress(OSError):
                while True:
                    name = directory / f"filler{len(fillers)}"
                    name.touch()
                    fillers.append(name)
            recorder.send(signal.SIGHUP)
            wait_for(lambda: "cannot create: No space left" in recorder.stderr(), "the message")
            log += connects(500, "-u", uid, "-m", MODES)
            for name in fillers:
                name.unlink()
            recorder.stop()
        account(recorder, log, directory, 0)


@test("a disk that is frozen for 10 s under 5,000 connects/s: nothing is lost")
def frozen():
    need("fsfreeze")
    uid = fresh_uids(1)[0]
    with loop_mounted(32, "mkfs.ext4", "-q") as (_, directory):
        with Numbered(directory, "-G", 5, "-u", uid, "-B", "16M") as recorder:
            load = Load(50000, "-k", 4, "-u", uid, "-m", MODES, "-r", 5000)
            time.sleep(1)
            expect(run("fsfreeze", "-f", directory).returncode == 0, "cannot freeze")
            time.sleep(10)
            run("fsfreeze", "-u", directory)
            log = load.finish()
            recorder.stop()
        account(recorder, log, directory, 0)


@test("a pipe that nobody reads for 10 s under 5,000 connects/s: nothing is lost")
def stalled_pipe():
    uid = fresh_uids(1)[0]
    copy = fresh("pcapng")
    recorder = Recorder("-u", uid, "-w", "-", "-B", "16M", trace=False, stdout=subprocess.PIPE)
    with recorder, open(copy, "wb") as file:
        file.write(os.read(recorder.process.stdout.fileno(), 16))
        file.flush()
        load = Load(50000, "-k", 4, "-u", uid, "-m", MODES, "-r", 5000)
        time.sleep(10)
        reader = subprocess.Popen(["cat"], stdin=recorder.process.stdout, stdout=file)
        log = load.finish()
        recorder.stop()
        reader.wait(PATIENCE)
    same(log, rows_of(copy))
    print(f"{len(log)} made, {recorder.last_counts()[0]} recorded")


@test("write errors of the disk: said, tried again, what it cannot take is counted")
def broken_disk():
    need("losetup")
    uid = fresh_uids(1)[0]
    with loop_mounted(16, "mkfs.ext4", "-q", "-E", "lazy_itable_init=0", "-O", "^has_journal") as (
            _, directory):
        with Numbered(directory, "-G", 3600, "--flush-interval", 50, "-u", uid) as recorder:
            log = connects(500, "-u", uid, "-m", MODES)
            wait_for(lambda: count_in(files_of(directory, ".part")) == 500, "the first batches")
            run("mount", "-o", "remount,abort", directory)
            log += connects(500, "-u", uid, "-m", MODES)
            wait_for(lambda: "trying again" in recorder.stderr(), "the message")
            recorder.send(signal.SIGTERM)
            status = recorder.wait()
        recorded, _, lost = recorder.last_counts()
        print(f"{len(log)} made, {recorded} recorded, {lost} lost: {recorder.stderr()}")
        expect(status == 3 and recorded + lost == len(log) and lost, f"exit {status}")


@test("the file is deleted under us: said, all of it is written again, the next one begins")
def deleted():
    uid, directory = fresh_uids(1)[0], fresh_directory()
    with Numbered(directory, "-G", 3600, "-u", uid) as recorder:
        log = connects(500, "-u", uid, "-m", MODES)
        files_of(directory, ".part")[0].unlink()
        log += connects(500, "-u", uid, "-m", MODES)
        wait_for(lambda: "was deleted" in recorder.stderr(), "the message")
        log += connects(500, "-u", uid, "-m", MODES)
        recorder.stop()
    account(recorder, log, directory, 0)
    closed_in_order(directory)


@test("the directory is removed and made again: it goes on in the new one")
def directory_removed():
    uid, directory = fresh_uids(1)[0], fresh_directory()
    with Numbered(directory, "-G", 3600, "-u", uid) as recorder:
        log = connects(500, "-u", uid, "-m", MODES)
        wait_for(lambda: count_in(files_of(directory, ".part")) == 500, "the batch")
        shutil.rmtree(directory)
        log += connects(500, "-u", uid, "-m", MODES)
        wait_for(lambda: "cannot create: No such file" in recorder.stderr(), "the message")
        directory.mkdir()
        wait_for(lambda: "writing again" in recorder.stderr(), "that it goes on")
        log += connects(500, "-u", uid, "-m", MODES)
        recorder.stop()
    account(recorder, log, directory, 0)


@test("a limit to the size of files (SIGXFSZ): the next one begins before it")
def file_size_limit():
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (200000, 200000))

    for packets in False, True:
        uid, directory = fresh_uids(1)[0], fresh_directory()
        with Numbered(directory, "-G", "3600", "-u", uid, packets=packets,
                      preexec_fn=limit) as recorder:
            log = connects(20000, "-k", 2, "-u", uid, "-m", MODES, "-r", 8000)
            recorder.stop()
        account(recorder, log, directory, 0)
        expect(len(files_of(directory)) > 1, "one file")


@test("TERM under load with numbered files: all that connected before is there")
def terminated():
    from signals import log_row, over_before, send_under_load
    uid, directory = fresh_uids(1)[0], fresh_directory()
    with Numbered(directory, "-C", "16K", "--flush-interval", 50, "-u", uid) as recorder:
        moment, load = send_under_load(recorder, signal.SIGTERM, 1.5, uid)
        status = recorder.wait()
        log = load.finish()
    expect(status == 0, f"exit {status}")
    rows = rows_in(directory)
    same(log, rows, subset=True)
    recorded = set(rows)
    missing = [row for row in over_before(log, moment) if log_row(row) not in recorded]
    expect(not missing, f"{len(missing)} missing")
    closed_in_order(directory)


@test("SIGSTOP for 10 s under 2,000 connects/s: the buffer in the kernel keeps them all")
def stopped():
    uid, directory = fresh_uids(1)[0], fresh_directory()
    with Numbered(directory, "-G", 2, "-B", "16M", "-u", uid) as recorder:
        load = Load(22000, "-k", 2, "-u", uid, "-m", MODES, "-r", 2000)
        time.sleep(0.5)
        recorder.send(signal.SIGSTOP)
        time.sleep(10)
        recorder.send(signal.SIGCONT)
        log = load.finish()
        recorder.stop()
    account(recorder, log, directory, 0)


@test("-Z: files belong to that user, the next one opens too, few capabilities are left")
def other_user():
    uid, owner = fresh_uids(2)
    directory = fresh_directory() / "private"
    directory.mkdir(mode=0o700)
    directory.parent.chmod(0o700)  # the user cannot even reach it by its path
    os.chown(directory, int(owner), int(owner))
    with Numbered(directory, "-G", 1, "-u", uid, "-Z", owner) as recorder:
        log = connects(2000, "-u", uid, "-m", MODES, "-r", 1000)
        status = open(f"/proc/{recorder.pid}/status").read()
        recorder.stop()
    account(recorder, log, directory, 0)
    expect(len(files_of(directory)) >= 2, "no second file")
    owners = {(path.stat().st_uid, path.stat().st_mode & 0o777) for path in files_of(directory)}
    expect(owners == {(int(owner), 0o600)}, f"{owners}")
    expect(f"Uid:\t{owner}\t{owner}\t{owner}\t{owner}" in status, status)
    left = int(next(line for line in status.splitlines() if line.startswith("CapEff"))[7:], 16)
    expect(left == 1 << 39 | 1 << 19 | 1 << 2, f"capabilities {left:x}")
