"""tshark with what `make install-wireshark' installs, as a user without privilege."""
import json
import os

import decode
from harness import BUILD, TOP, Wrong, expect, read, run, scratch

HOME = scratch / "home"
NOBODY = 65534


def installed_home():
    """The home of a user who has installed the plug-in, the profile and the interface."""
    if not HOME.exists():
        HOME.mkdir()
        result = run("make", "-C", TOP, "install-wireshark", env={
            **os.environ, "HOME": str(HOME), "PATH": f"{BUILD}:{os.environ['PATH']}"})
        expect(result.returncode == 0, f"make install-wireshark: {result.stderr}")
        run("chmod", "-R", "a+rX", HOME)
    return HOME


def bare_home():
    """The home of a user who has nothing."""
    home = scratch / "bare"
    home.mkdir(exist_ok=True)
    return home


def environment(home):
    return {**os.environ, "HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config"),
            "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def readable(trace):
    """The trace, or a copy, where that user can read it."""
    copy = scratch / f"{trace.stat().st_ino}-{trace.name}"
    if not copy.exists():
        copy.write_bytes(trace.read_bytes())
        copy.chmod(0o644)
    return copy


def without_privilege():
    """Newer ones run no plug-in for root."""
    return {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}


def tshark(trace, *options, plugin=True, status=0):
    """Its output; no word of Lua may be in it."""
    home = installed_home() if plugin else bare_home()
    result = run("tshark", "-n", "-r", readable(trace), *options, env=environment(home), cwd="/",
                 errors="replace", **without_privilege())
    if status is not None:
        expect(result.returncode == status, f"tshark {trace.name}: {result.returncode}: {result.stderr}")
    for text in (result.stdout, result.stderr):
        line = next((line for line in text.splitlines() if "Lua" in line), None)
        expect(line is None, f"{trace.name}: {line}")
    return result.stdout


def rows(trace, *fields, show="", options=(), plugin=True):
    """{field: [value]} of each row that the filter shows."""
    command = [*options, "-T", "json", *(part for f in fields for part in ("-e", f))]
    if show:
        command += ["-Y", show]
    layers = (row["_source"].get("layers", {}) for row in json.loads(tshark(trace, *command, plugin=plugin)))
    return [{f: layer.get(f, []) for f in fields} for layer in layers]


def events(trace):
    """The events as the second decoder reads them, in the order of the file."""
    def complain(damage, offset):
        raise Wrong(f"{trace.name}: {damage}")

    return [event for record in decode.records(trace.read_bytes(), complain) if record.kind == decode.BATCH
            for event in record.events()]


def late(trace):
    """What became known of them later: {number: result word}."""
    found = {}
    for record in decode.records(trace.read_bytes(), lambda damage, offset: None):
        if record.kind == decode.BATCH:
            found.update({number: decode.result(value) for number, value in record.late().items()})
    return found


def column(text):
    """As the plug-in shows a text: as the columns of the reader do, spaces excepted."""
    return decode.escape(b"|" + text + b"|")[1:-1]


def one(value):
    return [] if value is None else [str(value)]


def reader_rows(trace, *columns):
    """The reader's own output, as lists of words; a column with spaces must stand last."""
    stdout, _ = read("-r", trace, "-o", ",".join(columns))
    return [line.split(None, len(columns) - 1) for line in stdout.splitlines()[1:]]
