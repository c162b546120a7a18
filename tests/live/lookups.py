"""What tests/live/lookups says of its connects, beside what a recorder noted of them."""
import json

COLUMNS = "daddr,dport,query,query_age"


def check(log, rows, names=True):
    """log: its output; rows: those of its ports, as JSON of COLUMNS. Returns what is wrong."""
    calls = [line.split() for line in log.splitlines()]
    rows = [json.loads(line) for line in rows.splitlines()]
    wrong = [f"{len(rows)} rows of {len(calls)} calls"] if len(rows) != len(calls) else []
    for (address, port, name, least, most), row in zip(calls, rows):
        wanted = None if name == "-" or not names else name
        if (row["daddr"], row["dport"], row["query"]) != (address, int(port), wanted):
            wrong.append(f"{row} is {address} {port} {wanted}")
        elif wanted and not int(least) - 1 <= row["query_age_us"] / 1000 <= int(most):
            wrong.append(f"{row} is {least} to {most} ms")
        elif not wanted and row["query_age_us"] is not None:
            wrong.append(f"{row} has an age")
    return wrong
