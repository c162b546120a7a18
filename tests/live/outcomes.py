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


@test("10,000 attempts over a network with delays: each outcome and time is the program's own")
def timed():
    with Recorder("-P", "1000-11000") as recorder:
        result = run("unshare", "-n", "sh", "-c",
                     f". tests/live/network.sh && exec {BUILD}/tests/live/timed 10000 100", cwd=TOP)
        expect(result.returncode == 0, result.stderr)
        recorder.stop()
    stdout, _ = read("-r", recorder.trace, "-o", "daddr,lport,dport,result,latency")
    rows = {}
    for line in stdout.splitlines()[1:]:
        daddr, lport, dport, outcome, latency = line.split()
        if daddr == "198.18.0.1":
            expect((lport, dport) not in rows, f"twice: {line}")
            rows[lport, dport] = outcome, latency
    wrong, near, count, unseen = [], 0, 0, 0
    for call in attempts.read_log(result.stdout):
        count += 1
        outcome, latency = rows.pop((call["lport"], call["dport"]), ("missing", "0"))
        latency = 0 if latency == "-" else round(float(latency) * 1000)
        # Between what the other end saw and what the program saw; a retransmission aside, which
        # the other end sees as a new beginning.
        least = int(call["answered_us"] or 0)
        if outcome == "failed" and call["result"] != "ok":
            unseen += 1  # the kernel has not run the tracepoint; see cgroup.bpf.c
            continue
        if outcome != call["result"] or not least <= latency + 1 <= int(call["took_us"]) + 2:
            wrong.append(f"{call}: {outcome} after {latency} us")
        near += latency >= 0.8 * int(call["took_us"])
    print(f"{count} attempts, {unseen} failed for an unknown reason, {near} with at least 80 % of the program's own time")
    expect(count == 10000, f"{count} attempts")
    expect(unseen <= 10, f"{unseen} failures without a reason")
    expect(not wrong, f"{len(wrong)} wrong: " + "; ".join(wrong[:3]))
    expect(not rows, f"never made: {list(rows.items())[:3]}")
