"""What the live tests share: the programs under test, the load, the bytes of a trace."""
import errno
import os
import pty
import re
import shutil
import signal
import struct
import subprocess
import tempfile
import time
from pathlib import Path

import compare

TOP = Path(__file__).resolve().parents[2]
BUILD = TOP / "build"
SANITIZED = BUILD / "sanitize"
COMPARED = ",".join(compare.FIELDS)
PATIENCE = 60  # seconds; no test depends on anything being faster
MAGIC = b"\x89TCPCON\n"

scratch = Path(tempfile.mkdtemp(prefix="live-"))
scratch.chmod(0o755)  # tests also run programs as other users
traces = []  # all that a recorder closed in order, for the tests over all of them
TESTS = []


class Wrong(Exception):
    """The test failed; the text says why."""


class Skip(Exception):
    """The test cannot be made here."""


def test(name):
    def add(function):
        TESTS.append((name, function))
        return function
    return add


def expect(condition, why):
    if not condition:
        raise Wrong(why)


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            raise Skip(f"{program} is not installed")


def wait_for(condition, what):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        expect(time.monotonic() < deadline, f"waited {PATIENCE} s for {what}")
        time.sleep(0.01)


def run(*command, **options):
    options = {"capture_output": True, "text": True, "timeout": PATIENCE, **options}
    try:
        return subprocess.run([str(part) for part in command], **options)
    except subprocess.TimeoutExpired as error:
        raise Wrong(f"did not end within {PATIENCE} s: {' '.join(map(str, command))}") from error


def removed(directory):
    """That of a cgroup stays as long as a process of it is not wholly gone."""
    try:
        os.rmdir(directory)
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        return False
    return True


_names = iter(range(1, 10**6))


def fresh(suffix):
    """A file name that nobody uses yet."""
    return scratch / f"{next(_names):03}.{suffix}"


def fresh_uids(count):
    """User ids that nobody else uses, not even another run of these tests."""
    first = 100000 + os.getpid() % 50000 * 10
    return [str(first + i) for i in range(count)]


# The recorder.

class Recorder:
    """A running tcpconnect-rec, attached. With trace=False it prints only."""

    def __init__(self, *options, trace=True, build=BUILD, stdout=None):
        self.trace = fresh("pcapng") if trace else None
        self.stdout_name, self.stderr_name = fresh("stdout"), fresh("stderr")
        command = [build / "tcpconnect-rec", *options]
        if trace:
            command += ["-w", self.trace]
        with open(self.stdout_name, "wb") as out, open(self.stderr_name, "wb") as err:
            self.process = subprocess.Popen([str(part) for part in command],
                                            stdout=stdout or out, stderr=err)
        self.pid = self.process.pid
        try:
            if trace or not stdout:  # otherwise the caller sees its first output
                wait_for(self.has_begun, "the recorder to begin")
        except Wrong:
            self.process.kill()
            raise

    def has_begun(self):
        expect(self.process.poll() is None, f"the recorder ended at once: {self.stderr()}")
        name = self.trace or self.stdout_name
        return name.exists() and name.stat().st_size

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def stdout(self):
        return self.stdout_name.read_text()

    def stderr(self):
        return self.stderr_name.read_text()

    def send(self, number):
        self.process.send_signal(number)

    def wait(self):
        status = self.process.wait(PATIENCE)
        if self.trace:
            traces.append(self.trace)
        return status

    def stop(self, status=0, number=signal.SIGTERM):
        """Ends it and returns the counts of its last line: recorded, filtered, lost."""
        self.send(number)
        ended = self.wait()
        expect(ended == status, f"the recorder ended with {ended}, not {status}: {self.stderr()}")
        return self.last_counts()

    def last_counts(self):
        match = re.search(r"^tcpconnect-rec: (\d+) events recorded, (\d+) filtered in the kernel, "
                          r"(\d+) lost\n\Z", self.stderr(), re.M)
        expect(match, f"no counts at the end: {self.stderr()!r}")
        return tuple(map(int, match.groups()))

    def counts_now(self):
        """USR1: seen, recorded, filtered, lost, partial."""
        pattern = (r"^tcpconnect-rec: (\d+) attempts seen, (\d+) recorded, (\d+) filtered in the "
                   r"kernel, (\d+) lost, (\d+) partial$")
        before = len(re.findall(pattern, self.stderr(), re.M))
        self.send(signal.SIGUSR1)
        wait_for(lambda: len(re.findall(pattern, self.stderr(), re.M)) > before, "the counters")
        return tuple(map(int, re.findall(pattern, self.stderr(), re.M)[-1]))


# The load.

class Load:
    """tests/live/connects; its log once it has ended."""

    def __init__(self, count, *options, build=BUILD, **popen):
        self.log_name = fresh("csv")
        command = [build / "tests/live/connects", "-n", count, *options, "-o", self.log_name]
        self.process = subprocess.Popen([str(part) for part in command], text=True,
                                        stderr=subprocess.PIPE, **popen)

    def finish(self):
        _, stderr = self.process.communicate(timeout=PATIENCE)
        expect(self.process.returncode == 0, f"the load failed: {stderr}")
        return compare.read_log(self.log_name)


def connects(count, *options, build=BUILD):
    return Load(count, *options, build=build).finish()


# The reader.

def read(*options, status=0, build=BUILD, **popen):
    """Returns stdout and stderr of the reader; it must end with status."""
    result = run(build / "tcpconnect-read", *options, **popen)
    expect(result.returncode == status, f"the reader ended with {result.returncode}, "
           f"not {status}: {result.stderr.strip()}")
    return result.stdout, result.stderr


def read_quietly(*options, build=BUILD, **popen):
    """Returns stdout of the reader, which must find nothing to complain about."""
    stdout, stderr = read(*options, build=build, **popen)
    expect(not stderr, f"the reader said: {stderr}")
    return stdout


def rows_of(trace, *options, status=0, build=BUILD):
    stdout, _ = read("-r", trace, "-o", COMPARED, *options, status=status, build=build)
    return compare.read_rows(stdout.splitlines())


def same(log, rows, **options):
    """The connects of the log are the rows, one by one."""
    differences = compare.compare(compare.logged(log), rows, **options)
    expect(not differences, "; ".join(differences))


# The bytes of a trace, little-endian as the recorder writes it.

class Block:
    def __init__(self, data, offset):
        self.offset = offset
        self.type, self.length = struct.unpack_from("<II", data, offset)
        self.end = offset + self.length
        self.kind = None  # of our records: 1 trace, 2 batch, 3 summary
        if data[offset + 12:offset + 20] == MAGIC:
            self.kind = data[offset + 20]
            self.record = offset + 12
        if self.kind == 2:
            (self.sequence,) = struct.unpack_from("<Q", data, self.record + 40)
            self.counters = struct.unpack_from("<5Q", data, self.record + 80)
            (self.events,) = struct.unpack_from("<I", data, self.record + 124)
            (self.body,) = struct.unpack_from("<I", data, self.record + 168)


def blocks_of(data):
    """The whole blocks; what follows the last one is torn."""
    blocks, offset = [], 0
    while offset + 12 <= len(data):
        block = Block(data, offset)
        if block.length < 12 or block.end > len(data):
            break
        blocks.append(block)
        offset = block.end
    return blocks


def batches_of(trace):
    return [block for block in blocks_of(trace.read_bytes()) if block.kind == 2]


# Terminals.

class Terminal:
    """A pseudo-terminal; what is written to .slave is read here."""

    def __init__(self):
        self.master, self.slave = pty.openpty()
        os.set_blocking(self.master, False)
        self.text = ""

    def read(self):
        try:
            self.text += os.read(self.master, 65536).decode()
        except OSError:  # nothing there (EAGAIN), or nobody at the other end (EIO)
            pass
        return self.text

    def wait_for(self, text):
        deadline = time.monotonic() + PATIENCE
        while text not in self.read():
            expect(time.monotonic() < deadline, f"{text!r} did not appear: {self.text!r}")
            time.sleep(0.0005)

    def close(self):
        os.close(self.master)
        os.close(self.slave)
