"""Attempts of every kind, and how they end."""
import attempts
from harness import BUILD, TOP, Recorder, expect, read, run, test

PORT = 20000


def rows_of(trace, *options, status=0):
    stdout, _ = read("-r", trace, "-o", attempts.COLUMNS, *options, status=status)
    header, *lines = stdout.splitlines()
    return [dict(zip(header.lower().split(), line.split())) for line in lines]


def make_attempts():
    """The log of the attempts and what was skipped, made in a network namespace of their own."""
    result = run("unshare", "-n", "sh", "-c",
                 f". tests/live/network.sh && exec {BUILD}/tests/live/attempts {PORT}", cwd=TOP)
    expect(result.returncode == 0, result.stderr)
    return attempts.read_log(result.stdout), result.stderr


@test("attempts of every kind: each once, with its process and its outcome")
def every_kind():
    with Recorder() as recorder:
        log, skipped = make_attempts()
        recorder.stop()
    verdict = attempts.check(log, rows_of(recorder.trace), "cgroup")
    print(f"{len(log)} attempts in {len(verdict)} cases. {skipped.strip()}")
    wrong = [f"{case}: {why}" for case, why in verdict.items() if why]
    expect(not wrong, " | ".join(wrong))


@test("-x records the same attempts, but for those that succeed")
def failed_only():
    with Recorder("-x") as recorder:
        log, _ = make_attempts()
        recorder.stop()
    failed = [call for call in log if call["result"] != "ok"]
    for call in log:  # the ports of the others must have nothing
        if call["result"] == "ok":
            failed.append({**call, "ip": ""})
    verdict = attempts.check(failed, rows_of(recorder.trace), "cgroup")
    wrong = [f"{case}: {why}" for case, why in verdict.items() if why]
    expect(not wrong, " | ".join(wrong))
