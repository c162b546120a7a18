"""Disks that break, hang and come back: tests/live/faultfs is one, btrfs has quotas."""
import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

from faults import MODES, account, fill, loop_mounted, mounted, says
from harness import (BUILD, PATIENCE, Load, Recorder, Skip, connects, expect, fresh, fresh_uids,
                     need, rows_of, run, same, test, wait_for)
from numbered import (Numbered, closed_in_order, count_in, files_of, fresh_directory,
                      packets_stand_before_their_batch, rows_in)

EIO = 5


class FaultFs:
    """A directory on a disk that does what is asked of it."""

    def __init__(self):
        if not Path("/dev/fuse").exists():
            raise Skip("no /dev/fuse")
        self.below, self.directory, self.faults = fresh_directory(), fresh_directory(), fresh("faults")
        self.faults.touch()
        self.process = subprocess.Popen([BUILD / "tests/live/faultfs", self.below, self.faults,
                                         self.directory], stderr=subprocess.DEVNULL)
        wait_for(lambda: os.path.ismount(self.directory), "the file system")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.set()
        run("umount", "-l", self.directory)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def set(self, *faults):
        """Lines as faultfs wants them; none: all is well again."""
        new = Path(f"{self.faults}.new")
        new.write_text("".join(f"{fault}\n" for fault in faults))
        new.rename(self.faults)


def counts_of(recorder):
    """Recorded and lost at the end; what is filtered are connects of others."""
    recorded, _, lost = recorder.last_counts()
    return recorded, lost


def all_there(recorder, log, directory):
    """Nothing was lost, files are closed, each event has its packet."""
    account(recorder, log, directory, 0)
    closed_in_order(directory)
    for path in files_of(directory):
        packets_stand_before_their_batch(path)
    expect(not files_of(directory, ".part") and not files_of(directory, ".new"), "left over")


@test("EIO at write for a while: said, tried again, nothing is lost, no packet is there twice")
def write_error():
    uid = fresh_uids(1)[0]
    with FaultFs() as disk:
        with Numbered(disk.directory, "-G", 3600, "--flush-interval", 50, "-u", uid,
                      packets=True) as recorder:
            log = connects(500, "-u", uid, "-m", MODES)
            disk.set(f"write {EIO}")
            log += connects(500, "-u", uid, "-m", MODES)
            says(recorder, "cannot write: Input/output error; trying again")
            part, = files_of(disk.directory, ".part")
            packets_stand_before_their_batch(part)
            disk.set()
            says(recorder, "writing again")
            log += connects(500, "-u", uid, "-m", MODES)
            recorder.stop()
        all_there(recorder, log, disk.directory)


@test("EIO at write and no cutting back: what is torn is written over")
def write_error_torn():
    uid = fresh_uids(1)[0]
    with FaultFs() as disk:
        with Numbered(disk.directory, "-G", 3600, "--flush-interval", 50, "-u", uid,
                      packets=True) as recorder:
            log = connects(500, "-u", uid, "-m", MODES)
            disk.set(f"write {EIO}", f"truncate {EIO}")
            log += connects(500, "-u", uid, "-m", MODES)
            says(recorder, "cannot write: Input/output error; trying again")
            disk.set()
            says(recorder, "writing again")
            recorder.stop()
        all_there(recorder, log, disk.directory)


@test("EIO at fdatasync, and the disk has lost the data: they are written once more, nothing is lost")
def sync_error():
    uid = fresh_uids(1)[0]
    with FaultFs() as disk:
        with Numbered(disk.directory, "-G", 3600, "--flush-interval", 50, "-u", uid,
                      packets=True) as recorder:
            log = connects(500, "-u", uid, "-m", MODES)
            part, = files_of(disk.directory, ".part")
            wait_for(lambda: count_in([part]) == 500, "the events")
            disk.set(f"fsync {EIO}")
            recorder.send(signal.SIGHUP)
            says(recorder, "cannot write to the disk: Input/output error; trying again")
            expect(count_in([part]) < 500, "faultfs has lost nothing")
            log += connects(500, "-u", uid, "-m", MODES)
            disk.set()
            says(recorder, "writing again")
            recorder.stop()
        all_there(recorder, log, disk.directory)


@test("a thin block device without room (ext4, loop): it shows at fdatasync only, nothing is lost")
def thin_device():
    need("losetup", "mkfs.ext4")
    uid = fresh_uids(1)[0]
    with mounted("-t", "tmpfs", "-o", "size=32M", "none") as below:
        with loop_mounted(256, "mkfs.ext4", "-q", "-O", "^has_journal", "-E", "lazy_itable_init=1",
                          below=below) as (_, directory):
            with Numbered(directory, "-G", 3600, "--flush-interval", 50, "-u", uid,
                          packets=True) as recorder:
                ballast = fill(below)  # the blocks of the image have nowhere to go
                log = connects(4000, "-u", uid, "-m", MODES)
                recorder.send(signal.SIGHUP)
                says(recorder, "cannot write to the disk: No space left on device; trying again")
                log += connects(500, "-u", uid, "-m", MODES)
                ballast.unlink()
                says(recorder, "writing again")
                recorder.stop()
            all_there(recorder, log, directory)


@test("EIO at the last fdatasync: says how many events are perhaps gone, exit 3")
def sync_error_at_the_end():
    uid = fresh_uids(1)[0]
    with FaultFs() as disk:
        with Numbered(disk.directory, "-G", 3600, "--flush-interval", 50, "-u", uid) as recorder:
            log = connects(500, "-u", uid, "-m", MODES)
            wait_for(lambda: count_in(files_of(disk.directory, ".part")) == 500, "the events")
            disk.set(f"fsync {EIO}")
            recorder.send(signal.SIGTERM)
            status = recorder.wait()
        expect("its last 500 events are perhaps not on the disk" in recorder.stderr(),
               recorder.stderr())
        expect(status == 3 and counts_of(recorder) == (500, 0), f"exit {status}")
    print(f"{len(log)} made, 500 recorded, 0 lost, 500 unsure")


def rewrite_error(check, *options):
    """check gets the directory."""
    uid = fresh_uids(1)[0]
    with FaultFs() as disk:
        with Numbered(disk.directory, "-G", 3600, "-u", uid, *options, packets=True) as recorder:
            log = connects(500, "-u", uid, "-m", MODES)
            disk.set(f"rewrite {EIO}")
            recorder.send(signal.SIGHUP)
            says(recorder, "not written again: ")
            disk.set()
            log += connects(500, "-u", uid, "-m", MODES)
            recorder.stop()
        account(recorder, log, disk.directory, 0)
        check(disk.directory)
        expect(len(list(disk.directory.iterdir())) == len(files_of(disk.directory)), "left over")


@test("EIO while a file is finished: it stays as it was recorded, with its final name")
def rewritten_not():
    def check(directory):
        for path in files_of(directory):
            packets_stand_before_their_batch(path)
    rewrite_error(check)


@test("EIO when a file gets its name, or is read again: tried again later, nothing is lost")
def rename_error():
    for fault in "rename", "read":
        uid = fresh_uids(1)[0]
        with FaultFs() as disk:
            with Numbered(disk.directory, "-G", 3600, "-u", uid, packets=True) as recorder:
                log = connects(500, "-u", uid, "-m", MODES)
                disk.set(f"{fault} {EIO}")
                recorder.send(signal.SIGHUP)
                says(recorder, "stays as it is: ")
                disk.set()
                wait_for(lambda: files_of(disk.directory), "its name")
                log += connects(500, "-u", uid, "-m", MODES)
                recorder.stop()
            all_there(recorder, log, disk.directory)


@test("a disk where each write takes 0.3 s and each fdatasync 1 s: 2,000 connects/s, nothing is lost")
def slow():
    uid = fresh_uids(1)[0]
    with FaultFs() as disk:
        disk.set("write slow 300", "fsync slow 1000", "create slow 500", "rename slow 500")
        with Numbered(disk.directory, "-G", 2, "-u", uid, packets=True) as recorder:
            log = connects(10000, "-k", 2, "-u", uid, "-m", MODES, "-r", 2000)
            disk.set()
            recorder.stop()
        all_there(recorder, log, disk.directory)


def hangs(disk, recorder, number):
    """One request to end waits for the disk, the next one does not."""
    recorder.send(number)
    with contextlib.suppress(subprocess.TimeoutExpired):
        status = recorder.process.wait(2)
        expect(False, f"ended with {status} though the disk hangs: {recorder.stderr()}")
    recorder.send(number)
    return recorder.wait()


@test("a disk that hangs: a second TERM or INT ends it, what is missing is counted, the file whole")
def impatient():
    for number in signal.SIGTERM, signal.SIGINT:
        uid = fresh_uids(1)[0]
        with FaultFs() as disk:
            with Numbered(disk.directory, "-G", 3600, "--flush-interval", 50, "-u", uid,
                          packets=True) as recorder:
                log = connects(500, "-u", uid, "-m", MODES)
                wait_for(lambda: count_in(files_of(disk.directory, ".part")) == 500, "the events")
                disk.set("write hang")
                log += connects(500, "-u", uid, "-m", MODES)
                expect(hangs(disk, recorder, number) == 3, recorder.stderr())
            counts = counts_of(recorder)
            disk.set()
            expect(sum(counts) == len(log) and counts[0] >= 500, f"{counts}")
            with Numbered(disk.directory, "-G", 3600, "-u", uid) as again:
                again.stop()
            rows = rows_in(disk.directory)
            same(log, rows, subset=True)
            expect(len(rows) == counts[0], f"{len(rows)} rows, {counts}")
            print(f"{len(log)} made, {counts[0]} recorded, {counts[1]} lost and counted")


@test("a disk that hangs while a file is finished: a second TERM ends it, nothing is lost")
def impatient_finisher():
    for fault in "rename hang", "read hang", "fsync hang":
        uid = fresh_uids(1)[0]
        with FaultFs() as disk:
            with Numbered(disk.directory, "-G", 3600, "-u", uid, packets=True) as recorder:
                log = connects(500, "-u", uid, "-m", MODES)
                recorder.send(signal.SIGUSR2)
                wait_for(lambda: count_in(files_of(disk.directory, ".part")) == 500, "the events")
                disk.set(fault)
                status = hangs(disk, recorder, signal.SIGTERM)
            disk.set()
            expect(counts_of(recorder) == (500, 0), recorder.stderr())
            expect(status == (3 if "fsync" in fault else 0), f"{fault}: exit {status}")
            with Numbered(disk.directory, "-G", 3600, "-u", uid, packets=True) as again:
                again.stop()
            same(log, rows_in(disk.directory))
            for path in files_of(disk.directory):
                packets_stand_before_their_batch(path)


@test("a pipe that nobody reads: a second TERM ends it, what was not read is counted")
def impatient_pipe():
    uid = fresh_uids(1)[0]
    copy = fresh("pcapng")
    recorder = Recorder("-u", uid, "-w", "-", trace=False, stdout=subprocess.PIPE)
    with recorder:
        data = os.read(recorder.process.stdout.fileno(), 16)
        log = connects(3000, "-u", uid, "-m", MODES)
        status = hangs(None, recorder, signal.SIGTERM)
        counts = counts_of(recorder)
        copy.write_bytes(data + recorder.process.stdout.read())
    expect(status == 3 and counts[1] and sum(counts) == len(log), f"exit {status}: {counts}")
    rows = rows_of(copy, status=3)
    same(log, rows, subset=True)
    expect(len(rows) == counts[0], f"{len(rows)} rows, {counts}")


@test("a quota (btrfs): EDQUOT is said, what the queue cannot keep is counted, then it goes on")
def quota():
    need("mkfs.btrfs", "btrfs")
    uid = fresh_uids(1)[0]
    with loop_mounted(128, "mkfs.btrfs", "-q") as (_, top):
        directory = top / "limited"
        expect(run("btrfs", "subvolume", "create", directory).returncode == 0, "no subvolume")
        expect(run("btrfs", "quota", "enable", top).returncode == 0, "no quota")
        limit = ("btrfs", "qgroup", "limit")
        expect(run(*limit, "2M", directory).returncode == 0, "no limit")
        with Numbered(directory, "-G", 3600, "--queue", "64K", "--flush-interval", 50, "-u", uid,
                      packets=True) as recorder:
            log = connects(12000, "-k", 2, "-u", uid, "-m", MODES, "-r", 6000)
            says(recorder, "cannot write: Disk quota exceeded; trying again")
            run(*limit, "none", directory)
            says(recorder, "writing again")
            log += connects(500, "-u", uid, "-m", MODES)
            recorder.stop(status=3)
        account(recorder, log, directory, 3)
        for path in files_of(directory):
            packets_stand_before_their_batch(path)


@test("umount -l: it goes on where it was, all is there when the disk is mounted again")
def unmounted():
    uid = fresh_uids(1)[0]
    with loop_mounted(32, "mkfs.ext4", "-q") as (device, directory):
        with Numbered(directory, "-G", 2, "-u", uid) as recorder:
            log = connects(500, "-u", uid, "-m", MODES)
            expect(run("umount", "-l", directory).returncode == 0, "not unmounted")
            log += connects(3000, "-u", uid, "-m", MODES, "-r", 1000)
            recorder.stop()
        expect(not list(directory.iterdir()), "it writes below the mount point")
        run("mount", device, directory)
        account(recorder, log, directory, 0)
        closed_in_order(directory)
