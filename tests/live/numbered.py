"""What the tests of numbered files share: a recorder of a directory, and what is in it."""
import gzip
import re
import subprocess
from pathlib import Path

from harness import (BUILD, COMPARED, PATIENCE, Recorder, blocks_of, compare, expect, fresh, read,
                     run, wait_for)

NAME = re.compile(r"out_(\d{5,})_\d{8}T\d{6}Z\.pcapng(\.part|\.new)?")


def fresh_directory():
    directory = fresh("directory")
    directory.mkdir()
    return directory


class Numbered(Recorder):
    """Records to out.pcapng in a directory, with numbers in the names."""

    def __init__(self, directory, *options, packets=False, build=BUILD, **popen):
        if not packets:  # they would be most of the bytes, and the tests are about the rest
            options = ("--no-packets", *options)
        self.directory = Path(directory)
        self.before = set(self.directory.iterdir())
        if popen:
            command = [build / "tcpconnect-rec", "-w", self.directory / "out.pcapng", *options]
            self.trace, self.stdout_name, self.stderr_name = None, fresh("stdout"), fresh("stderr")
            with open(self.stdout_name, "wb") as out, open(self.stderr_name, "wb") as err:
                self.process = subprocess.Popen([str(part) for part in command], stdout=out,
                                                stderr=err, **popen)
            self.pid = self.process.pid
            wait_for(self.has_begun, "the recorder to begin")
            return
        super().__init__("-w", self.directory / "out.pcapng", *options, trace=False, build=build)

    def has_begun(self):
        expect(self.process.poll() is None, f"the recorder ended at once: {self.stderr()}")
        try:
            return any(path not in self.before and path.suffix == ".part" and path.stat().st_size
                       for path in self.directory.iterdir())
        except FileNotFoundError:  # one of a dead recorder was finished just now
            return False


def files_of(directory, ending=""):
    """The names that are ours, in their order; with ending ".part" those only."""
    found = [path for path in Path(directory).iterdir() if NAME.fullmatch(path.name)]
    return sorted(path for path in found if (NAME.fullmatch(path.name)[2] or "") == ending)


def rows_in(directory, status=0):
    """All rows of all complete files. Their exit status must be among status."""
    allowed = {status} if isinstance(status, int) else set(status)
    rows = []
    for path in files_of(directory):
        result = run(BUILD / "tcpconnect-read", "-r", path, "-o", COMPARED)
        expect(result.returncode in allowed | {0}, f"{path.name}: the reader ended with "
               f"{result.returncode}: {result.stderr}")
        rows += compare.read_rows(result.stdout.splitlines())
    return rows


def closed_in_order(directory):
    for path in files_of(directory):
        _, said = read("-v", "-r", path, status=0)
        expect("closed in order" in said, f"{path.name}: {said}")


def plain(path):
    """Its bytes, decompressed if it was finished with --compress gzip."""
    data = Path(path).read_bytes()
    return gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data


def spans_in(path):
    """Of the events in whole batches: (session, first number, behind the last)."""
    data = plain(path)
    return [(data[block.record + 24:block.record + 40], block.sequence,
             block.sequence + block.events) for block in blocks_of(data)
            if block.kind == 2 and block.events]


def count_in(paths):
    return sum(end - first for path in paths for _, first, end in spans_in(path))


def packets_stand_before_their_batch(path):
    """For each event of a batch one, no other ones."""
    pending = 0
    for block in blocks_of(plain(path)):
        if block.type == 6:
            pending += 1
        elif block.kind == 2:
            expect(pending == block.events, f"{path.name}: {pending} packets before a batch of "
                   f"{block.events} events at offset {block.offset}")
            pending = 0
    expect(not pending, f"{path.name}: {pending} packets without a batch")
