"""Something that listens, and what it costs: processes, memory, load, first calls."""

import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
WORK = ROOT / "target/bench"
LOAD = str(ROOT / "target/release/load")
PYTHON = subprocess.check_output([sys.executable, "-c", "import sys; print(sys._base_executable)"], text=True).strip()
EVENT = b'{"n": 41}'
# Clock ticks are too coarse to time less than this by.
TICKS = os.sysconf("SC_CLK_TCK")


def descendants(root):
    """The process and all below it."""
    below = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except OSError:
                continue
            below.setdefault(parent, []).append(int(entry.name))
    found = [root]
    for pid in found:
        found += below.get(pid, [])
    return found


def cpu_seconds(root):
    total = 0
    for pid in descendants(root):
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def pss_mb(pids):
    """Proportional set size: memory shared by n processes counts 1/n in each."""
    total = 0
    for pid in pids:
        try:
            total += int(re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)[1])
        except (OSError, TypeError):
            continue
    return total / 1024


def program_of(pid):
    try:
        return os.path.basename(os.readlink(f"/proc/{pid}/exe"))
    except OSError:
        return ""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(what, said, seconds=60, pause=0.01):
    """Polls until `what()` holds."""
    deadline = time.perf_counter() + seconds
    while not what():
        if time.perf_counter() > deadline:
            raise SystemExit(f"{said}: not within {seconds} s")
        time.sleep(pause)


def started_ms(command, times=15):
    """How long a command takes from start to end, the median."""
    took = []
    for _ in range(times):
        began = time.perf_counter()
        subprocess.check_call(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took)


class Subject:
    """Something that is measured: a command, and how it is asked. Without a port it says on stdout where it listens."""

    def __init__(self, command, path="/", event=EVENT, status=200, expected="42", port=None, env=None, cwd=None, ready="listen"):
        self.command, self.path, self.event = [str(word) for word in command], path, event
        self.status, self.expected, self.headers = status, expected, {}
        self.port, self.env, self.cwd, self.ready = port, env or {}, cwd, ready

    def __enter__(self):
        self.log = tempfile.TemporaryFile()
        began = time.perf_counter()
        self.process = subprocess.Popen(
            self.command, cwd=self.cwd, env={**os.environ, **self.env}, start_new_session=True,
            stdout=subprocess.PIPE if self.port is None else self.log, stderr=self.log)
        try:
            if self.port is None:
                line = self.process.stdout.readline().decode()
                self.port = int(line.strip().rsplit(":", 1)[1])
            deadline = began + 120
            while not self.answers():
                if time.perf_counter() > deadline or self.process.poll() is not None:
                    raise SystemExit(f"{self.command[0]} does not start: {self.said()}")
                time.sleep(0.002 if self.ready == "listen" else 0.05)
        except BaseException:
            self.__exit__()
            raise
        self.boot_ms = (time.perf_counter() - began) * 1000
        return self

    def answers(self):
        """Whether it is up: it listens, or (where it listens before it can answer) it answers rightly."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as stream:
                if self.ready == "listen":
                    return True
                stream.settimeout(60)
                stream.sendall(self.request())
                return self.expected.encode() in stream.recv(65536)
        except OSError:
            return False

    def said(self):
        self.log.seek(0)
        return self.log.read().decode(errors="replace")[-2000:]

    def __exit__(self, *_):
        for pid in reversed(descendants(self.process.pid)):
            try:
                os.kill(pid, 15)
            except ProcessLookupError:
                pass
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def request(self):
        method = "GET" if self.event is None else "POST"
        body = self.event or b""
        headers = {"Host": f"127.0.0.1:{self.port}", **self.headers}
        if body:
            headers |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"{method} {self.path} HTTP/1.1\r\n{lines}\r\n".encode() + body

    def load(self, seconds, connections):
        command = [LOAD, "load", f"127.0.0.1:{self.port}", str(seconds), str(connections), str(self.status), self.expected]
        before = cpu_seconds(self.process.pid)
        ran = subprocess.run(command, input=self.request(), capture_output=True)
        if ran.returncode:
            raise SystemExit(f"{self.command[0]}: {ran.stderr.decode()[-1500:]}\n{self.said()}")
        told = json.loads(ran.stdout)
        told["cpu_us"] = (cpu_seconds(self.process.pid) - before) / told["requests"] * 1e6
        return told

    def first_call_ms(self):
        with socket.create_connection(("127.0.0.1", self.port)) as stream:
            began = time.perf_counter()
            stream.sendall(self.request())
            answer = stream.recv(65536)
            while self.expected.encode() not in answer:
                more = stream.recv(65536)
                assert more, answer
                answer += more
            return (time.perf_counter() - began) * 1000

    def measure(self, seconds):
        row = {"boot_ms": self.boot_ms, "cold_ms": self.first_call_ms()}
        self.load(seconds / 4, 16)
        self.load(seconds / 4, 1)
        row["one"], row["many"] = self.load(seconds, 1), self.load(seconds, 16)
        row["pss_mb"] = pss_mb(descendants(self.process.pid))
        return row
