"""What the programs say, and how they exit, when they are asked for what cannot be."""
import os
import shutil

from harness import BUILD, Recorder, Skip, connects, expect, fresh, need, run, scratch, test

NOT_PID = "is not a process id: a number from 1 to 4194304"
NOT_PORT = "is not a port or LO-HI: a number from 1 to 65535"
NOT_USER = "is not a user: a number, or a name that this machine knows"

# Of both programs: arguments, message, all with exit status 2.
BOTH = [
    (["-p", "abc"], f"-p: 'abc' {NOT_PID}"),
    (["-p", "12abc"], f"-p: '12abc' {NOT_PID}"),
    (["-p", "0"], f"-p: '0' {NOT_PID}"),
    (["-p", ""], f"-p: '' {NOT_PID}"),
    (["-p", "1,,2"], f"-p: '' {NOT_PID}"),
    (["-p", "99999999999999999999"], f"-p: '99999999999999999999' {NOT_PID}"),
    (["-P", "70000"], f"-P: '70000' {NOT_PORT}"),
    (["-P", "-5"], f"-P: '-5' {NOT_PORT}"),
    (["-P", "10-5"], "-P: '10-5' is not a port or LO-HI: the first is larger than the second"),
    (["-P", "80", "-P", "!443"], "-P: '!443': a list cannot be negated (!) and not negated"),
    (["-u", "nosuchuser"], f"-u: 'nosuchuser' {NOT_USER}"),
    (["--uid", "-1"], f"-u: '-1' {NOT_USER}"),
    (["-4", "-6"], "-6: -4 and -6 exclude each other"),
    (["-n", "0"], "-n: '0' is not a count: a number from 1 to 9223372036854775807"),
    (["--nosuchoption"], "unknown option '--nosuchoption'; -h shows all"),
    (["-y"], "unknown option '-y'; -h shows all"),
    (["-p"], "option '-p' needs an argument"),
    (["more"], "EXPRESSION: 'more' is not a word of pcap-filter(7), nor a number or an address: "
               "names are not looked up"),
    (["--netns", "/no/such"], "--netns: '/no/such' is not a network namespace: No such file or "
                              "directory"),
    (["--comm", "a,,b"], "--comm: '' is not a name"),
]
COLUMNS = [
    (["-o", "nosuchcolumn"], "'nosuchcolumn' is not a column: time clock host uid euid user gid "
                             "pid tid ppid comm exe args ancestors cgroup container unit netns ip "
                             "saddr lport daddr dport flags returned result latency retransmits "
                             "backend query query_age"),
    (["-d", "-c"], "-d and -c exclude each other"),
    (["-d", "--style", "libbpf"], "style libbpf has no such column: leave out -d"),
    (["--style", "perl"], "'perl' is not a style: bcc, bcc2019 or libbpf"),
]
READ = [
    (["--json", "--csv"], "--json and --csv exclude each other"),
]
REC = [
    (["-c", "--print"], "-c, --print and -w - all want standard output"),
    (["--backend", "magic"], "--backend: 'magic' is not a backend: auto, fentry, kprobe or cgroup"),
    (["-B", "0"], "-B: '0' is not a buffer size: a number of bytes from 1 to 1073741824, "
                  "with K, M or G"),
    (["-B", "2T"], "-B: '2T' is not a buffer size: a number of bytes from 1 to 1073741824, "
                   "with K, M or G"),
    (["--compress", "lzma"], "--compress: 'lzma' is not a compression: zstd, gzip or none"),
    (["--compress", "gzip"], "--compress gzip is of finished files: it goes with -C, -G, -W, "
                             "--keep, --keep-days or --min-free"),
    (["--duration", "0"], "--duration: '0' is not a time in seconds: a number from 1 to 315360000"),
    (["--flush-interval", "1s"],
     "--flush-interval: '1s' is not a time in milliseconds: a number from 1 to 3600000"),
]


def refuses(program, arguments, message, status):
    result = run(program, *arguments)
    said = f"{program.name} {' '.join(map(str, arguments))}"
    expected = f"{program.name}: {message}\n"
    expect(result.stderr == expected, f"{said} says {result.stderr!r}, not {expected!r}")
    expect(result.returncode == status, f"{said} exits {result.returncode}, not {status}")
    expect(not result.stdout, f"{said} prints {result.stdout!r}")


@test("bad options of the recorder: one line that quotes them, exit 2, no file")
def recorder_options():
    trace = fresh("pcapng")
    for arguments, message in BOTH + REC:
        refuses(BUILD / "tcpconnect-rec", ["-w", trace, *arguments], message, 2)
        expect(not trace.exists(), f"{arguments} made a file")
    refuses(BUILD / "tcpconnect-rec", ["--print"],
            "--print goes with -w: without it the columns are printed", 2)
    refuses(BUILD / "tcpconnect-rec", ["-w", "-", "--print"],
            "--print and -w - both want standard output", 2)


@test("columns and styles that the recorder does not know: one line that quotes them, exit 2")
def recorder_columns():
    for arguments, message in COLUMNS:
        refuses(BUILD / "tcpconnect-rec", ["--duration", 1, *arguments], message, 2)


@test("bad options of the reader: one line that quotes them, exit 2")
def reader_options():
    for arguments, message in BOTH + COLUMNS + READ:
        refuses(BUILD / "tcpconnect-read", ["-r", "/dev/null", *arguments], message, 2)
    refuses(BUILD / "tcpconnect-read", [], "no trace to read: give one with -r FILE", 2)


@test("-w into a missing directory: one line, exit 1")
def missing_directory():
    name = scratch / "missing/trace"
    refuses(BUILD / "tcpconnect-rec", ["-w", name],
            f"{name}: cannot create: No such file or directory", 1)


@test("-w never overwrites a file, but with --overwrite")
def existing_file():
    name = fresh("pcapng")
    name.write_text("precious")
    refuses(BUILD / "tcpconnect-rec", ["-w", name],
            f"{name}: exists already; --overwrite replaces it", 1)
    expect(name.read_text() == "precious", "the file was touched")
    result = run(BUILD / "tcpconnect-rec", "-q", "-w", name, "--overwrite", "--duration", 1)
    expect(result.returncode == 0, result.stderr)
    expect(name.read_bytes()[:4] == b"\n\r\r\n", "the file was not replaced")


@test("no privilege: the recorder says what it needs, exits 1, makes no file")
def no_privilege():
    need("setpriv")
    program = scratch / "tcpconnect-rec"  # the build may be where nobody else may look
    shutil.copy(BUILD / "tcpconnect-rec", program)
    directory = scratch / "everyones"
    directory.mkdir()
    directory.chmod(0o777)
    trace = directory / "trace"
    result = run("setpriv", "--reuid", 65534, "--regid", 65534, "--clear-groups",
                 program, "-w", trace)
    expected = ("tcpconnect-rec: no backend can run here:\n"
                "  fentry: no privilege: run as root, or with CAP_BPF and CAP_PERFMON\n"
                "  kprobe: no privilege: run as root, or with CAP_BPF and CAP_PERFMON\n"
                "  cgroup: no privilege: run as root, or with CAP_BPF and CAP_NET_ADMIN\n")
    expect(result.stderr == expected, result.stderr)
    expect(result.returncode == 1, f"exit {result.returncode}")
    expect(not trace.exists(), "a file was made")


@test("--backend of one that cannot run: what --list-backends says, exit 1, no file")
def refused_backend():
    listed = run(BUILD / "tcpconnect-rec", "--list-backends").stdout
    refused = dict(line.split(None, 1) for line in listed.splitlines() if "cannot run: " in line)
    if not refused:
        raise Skip("every backend can run here")
    trace = fresh("pcapng")
    for name, why in refused.items():
        refuses(BUILD / "tcpconnect-rec", ["--backend", name, "-w", trace],
                f"no backend can run here:\n  {name}: {why.removeprefix('cannot run: ')}", 1)
        expect(not trace.exists(), "a file was made")


@test("the backend that runs can be named, and the trace names it")
def named_backend():
    listed = run(BUILD / "tcpconnect-rec", "--list-backends").stdout
    name = next(line.split()[0] for line in listed.splitlines() if "cannot run" not in line)
    with Recorder("--backend", name, "-p", os.getpid() + 1) as recorder:
        connects(1)
        recorder.stop()
    expect(name.encode() in recorder.trace.read_bytes(), f"{name} is not in the trace")


@test("-h and -V exit 0 and print to standard output")
def help_and_version():
    for program in ("tcpconnect-rec", "tcpconnect-read"):
        for option in ("-h", "--help", "-V", "--version"):
            result = run(BUILD / program, option)
            expect(result.returncode == 0 and program in result.stdout and not result.stderr,
                   f"{program} {option}: exit {result.returncode}, {result.stderr}")
