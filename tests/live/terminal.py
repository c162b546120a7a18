"""A person watches: rows appear at once."""
import os
import socket
import statistics
import time

from harness import BUILD, Recorder, Terminal, expect, run, test

CONNECTS = 20


@test("a row is on the terminal soon after its connect")
def soon():
    terminal = Terminal()
    delays = []
    with Recorder("-L", "-p", os.getpid(), trace=False, stdout=terminal.slave) as recorder, \
            socket.create_server(("127.0.0.1", 0)) as server:
        terminal.wait_for("DPORT")
        for i in range(CONNECTS):
            time.sleep(0.25 if i % 2 else 0)  # when it has gone to sleep, and when it has not
            with socket.socket() as client:
                client.bind(("127.0.0.1", 0))
                port = client.getsockname()[1]
                begin = time.monotonic()
                client.connect(server.getsockname())
                terminal.wait_for(f" {port} ")
            delays.append(1000 * (time.monotonic() - begin))
            server.accept()[0].close()
        recorder.stop()
    lines = terminal.read().split("\r\n")
    terminal.close()
    print(f"a row on the terminal: median {statistics.median(delays):.1f} ms, "
          f"longest {max(delays):.1f} ms")
    expect(len(lines) == CONNECTS + 2, f"{len(lines)} lines")
    expect(max(delays) < 2000, f"a row took {max(delays):.0f} ms")


@test("-w - on a terminal is refused")
def binary_to_terminal():
    terminal = Terminal()
    result = run(BUILD / "tcpconnect-rec", "-w", "-", capture_output=False,
                 stdout=terminal.slave, stderr=-1)
    text = terminal.read()
    terminal.close()
    expect(result.returncode == 1, f"exit {result.returncode}")
    expect(result.stderr == "tcpconnect-rec: -w -: standard output is a terminal\n", result.stderr)
    expect(not text, f"wrote {text!r}")
