"""Programs that people run, each to an open and to a closed port."""
import contextlib
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

from harness import COMPARED, PATIENCE, Recorder, compare, expect, need, read, test

ANSWER = b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nhi\n"
HTTP_CLIENT = """
import http.client, sys
try:
    http.client.HTTPConnection("127.0.0.1", int(sys.argv[1])).request("GET", "/")
except OSError:
    pass
"""
SSH = ["ssh", "-F", "/dev/null", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no",
       "-o", "UserKnownHostsFile=/dev/null", "-p", "PORT", "127.0.0.1", "true"]


@contextlib.contextmanager
def ports():
    """An open port, whose server answers any caller, and a closed one: bound, not listening."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    client, _ = server.accept()
                    with client:
                        client.sendall(ANSWER)

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1], closed.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


def check(*command):
    need(command[0])
    with Recorder() as recorder, ports() as both:
        pids = {}
        for port in both:
            argv = [part.replace("PORT", str(port)) for part in command]
            process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
            process.wait(PATIENCE)
            pids[port] = process.pid
        recorder.stop()
    stdout, _ = read("-r", recorder.trace, "-o", COMPARED)
    for port, pid in pids.items():
        rows = [row for row in compare.read_rows(stdout.splitlines()) if row[0] == str(pid)]
        comm = Path(command[0]).name[:15]
        wanted = [str(pid), None, str(os.getuid()), str(os.getgid()), comm, "4", "127.0.0.1", None,
                  "127.0.0.1", str(port)]
        expect(len(rows) == 1, f"{len(rows)} rows of pid {pid} (port {port}): {rows}")
        wrong = [value for value, want in zip(rows[0], wanted) if want and value != want]
        expect(not wrong, f"{rows[0]}: wrong {wrong}")
        expect(rows[0][1].isdigit() and int(rows[0][7]) > 0, f"{rows[0]}: no thread or local port")


@test("curl: one row each for an open and a closed port")
def curl():
    check("curl", "-s", "-m", "20", "http://127.0.0.1:PORT/")


@test("python3 with http.client: one row each for an open and a closed port")
def python():
    check(sys.executable, "-c", HTTP_CLIENT, "PORT")


@test("nc: one row each for an open and a closed port")
def nc():
    check("nc", "-z", "127.0.0.1", "PORT")


@test("ssh: one row each for an open and a closed port")
def ssh():
    check(*SSH)
