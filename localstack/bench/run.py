"""The benchmark: floors, peers and us in turn, in one run, each answer checked. Use `make bench`.

Installs what it compares with into target/bench, measures on 127.0.0.1, and writes its tables between the marks in
docs/PERFORMANCE.md. `run.py NAME…` measures only those, and writes nothing.
"""

import base64
import io
import json
import os
import platform
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
WORK = ROOT / "target/bench"
PYTHON = subprocess.check_output([sys.executable, "-c", "import sys; print(sys._base_executable)"], text=True).strip()
NODE = shutil.which("node")
SECONDS = float(os.environ.get("BENCH_SECONDS", "4"))
PIP = ["functions-framework==3.10.*", "fastapi", "uvicorn", "boto3"]
NPM = ["serverless-offline", "osls", "@google-cloud/functions-framework", "workerd", "dynalite"]
MARKS = ("<!-- bench: begin -->", "<!-- bench: end -->")
EVENT = b'{"n": 41}'
OURS = {
    "PYTHON": "def handler(event):\n    return {'n': event['n'] + 1}\n",
    "NODEJS": "exports.handler = (event) => ({ n: event.n + 1 });\n",
}


# ---- Processes --------------------------------------------------------------------------------------------------------


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
    return total / os.sysconf("SC_CLK_TCK")


def pss_mb(pids):
    total = 0
    for pid in pids:
        try:
            total += int(re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)[1])
        except (OSError, TypeError):
            continue
    return total / 1024


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Subject:
    """Something that is measured: a command, and how it is asked."""

    def __init__(self, name, command, path="/", event=EVENT, status=200, expected='42', port=None, env=None, cwd=None):
        self.name, self.command, self.path, self.event = name, command, path, event
        self.status, self.expected, self.headers = status, expected, {}
        self.port, self.env, self.cwd = port, env or {}, cwd

    def __enter__(self):
        self.log = tempfile.TemporaryFile()
        began = time.perf_counter()
        self.process = subprocess.Popen(
            self.command, cwd=self.cwd, env={**os.environ, **self.env}, start_new_session=True,
            stdout=subprocess.PIPE if self.port is None else self.log, stderr=self.log)
        if self.port is None:
            line = self.process.stdout.readline().decode()
            self.port = int(line.strip().rsplit(":", 1)[1])
        deadline = began + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                break
            except OSError:
                if time.perf_counter() > deadline or self.process.poll() is not None:
                    self.log.seek(0)
                    raise SystemExit(f"{self.name} does not start:\n{self.log.read().decode()[-2000:]}")
                time.sleep(0.002)
        self.boot_ms = (time.perf_counter() - began) * 1000
        return self

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
        before, began = cpu_seconds(self.process.pid), time.perf_counter()
        ran = subprocess.run(command, input=self.request(), capture_output=True)
        if ran.returncode:
            raise SystemExit(f"{self.name}: {ran.stderr.decode()[-1500:]}")
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

    def measure(self):
        row = {"boot_ms": self.boot_ms, "cold_ms": self.first_call_ms()}
        self.load(1, 16)
        self.load(1, 1)
        row["one"], row["many"] = self.load(SECONDS, 1), self.load(SECONDS, 16)
        row["pss_mb"] = pss_mb(descendants(self.process.pid))
        return row


# ---- What is measured -------------------------------------------------------------------------------------------------


class Runner(Subject):
    """Us, with a user and a function of each language."""

    def __init__(self, name):
        self.data = tempfile.TemporaryDirectory()
        binary = ROOT / "target/release/function-runner"
        super().__init__(name, [str(binary), "serve", "--port", "0", "--data", self.data.name])

    def __enter__(self):
        super().__enter__()
        self.call("POST", "/users/register", {"username": "bench_1", "name": "Bench", "password": "correct horse"})
        login = self.call("POST", "/users/login", {"username": "bench_1", "password": "correct horse"})
        self.headers = {"Authorization": f"Bearer {login['access_token']}"}
        self.workspace = self.call("POST", "/workspaces/", {"name": "bench"})["id"]
        return self

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json", **self.headers}, method=method)
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def function(self, language, execution="SYNC", workspace=None):
        fields = {"name": f"f{time.time_ns()}", "runtime": language, "code": OURS[language], "execution_type": execution}
        return self.call("POST", "/functions/", {**fields, "workspace_id": workspace or self.workspace})["id"]

    def invoking(self, language):
        self.path, self.event, self.expected = f"/functions/{self.function(language)}/invoke", EVENT, '"output":{"n":42}'

    def reading(self):
        function = self.function("PYTHON")
        self.path, self.event, self.expected = f"/functions/{function}", None, f'"id":"{function}"'

    def queueing(self):
        """ASYNC: accepted per second, how fast they start, whether all are done, and what another tenant sees of it."""
        function = self.function("PYTHON", "ASYNC")
        neighbour = self.function("PYTHON", "ASYNC", self.call("POST", "/workspaces/", {"name": "next"})["id"])
        self.path, self.event, self.status, self.expected = f"/functions/{function}/invoke", EVENT, 202, '"pending"'

        def until_done(of):
            began = time.perf_counter()
            job = self.call("POST", f"/functions/{of}/invoke", {"n": 41})["job_id"]
            while (told := self.call("GET", f"/jobs/{job}"))["status"] in ("pending", "running"):
                time.sleep(0.0005)
            assert told["output"] == {"n": 42}, told
            return (time.perf_counter() - began) * 1000, wait_ms(told)

        def wait_ms(job):
            def parse(text):
                return time.mktime(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")) * 1000 + int(text[20:23])
            return parse(job["started_at"]) - parse(job["created_at"])

        idle = [until_done(neighbour) for _ in range(40)]
        accepted = self.load(SECONDS, 16)
        crowded = [until_done(neighbour)[0] for _ in range(5)]
        began, wanted = time.perf_counter(), accepted["requests"]
        while (done := self.call("GET", f"/functions/{function}/metrics")["success_count"]) < wanted:
            assert time.perf_counter() - began < 300, f"{done} of {wanted} done"
            time.sleep(0.05)
        return {
            "accepted per second (16 connections)": accepted["per_second"],
            "accepted to started, idle, p50 ms": statistics.median(wait for _, wait in idle),
            "accepted to done, idle, p50 ms": statistics.median(took for took, _ in idle),
            "jobs accepted, all of them done": wanted,
            "seconds to drain them after the last": time.perf_counter() - began,
            "second tenant, accepted to done behind them, p50 ms": statistics.median(crowded),
        }


class Ministack(Subject):
    """ministack's Lambda, with a function; asked as an SDK asks, without the signature."""

    def __init__(self):
        port = free_port()
        env = {"BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "LAMBDA_EXECUTOR": "local"}
        super().__init__("", [str(WORK / "venv-ministack/bin/ministack")], port=port, env=env,
                         path="/2015-03-31/functions/bench/invocations")

    def __enter__(self):
        super().__enter__()
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as file:
            file.writestr("handler.py", "def handler(event, context):\n    return {'n': event['n'] + 1}\n")
        fields = {"FunctionName": "bench", "Runtime": "python3.11", "Handler": "handler.handler",
                  "Role": "arn:aws:iam::000000000000:role/bench", "Timeout": 30,
                  "Code": {"ZipFile": base64.b64encode(packed.getvalue()).decode()}}
        request = urllib.request.Request(self.url + "/2015-03-31/functions", json.dumps(fields).encode(),
                                         {"Content-Type": "application/json"})
        urllib.request.urlopen(request).close()
        return self


def subjects():
    """Name → what to run, in the order of the table."""
    peers, modules, venv = HERE / "peers", WORK / "node_modules", WORK / "venv/bin"
    port = free_port
    invoke = {}
    invoke["floor: axum, two bare python3"] = lambda: Subject("", [LOAD, "floor-run", PYTHON, str(peers / "floor.py")])
    invoke["floor: axum, two bare node"] = lambda: Subject("", [LOAD, "floor-run", NODE, str(peers / "floor.js")])
    p = port()
    invoke["functions-framework (PyPI)"] = lambda p=p: Subject(
        "", [str(venv / "functions-framework"), "--source", str(peers / "framework.py"), "--target", "handler",
             "--host", "127.0.0.1", "--port", str(p)], port=p)
    q = port()
    invoke["functions-framework (npm)"] = lambda q=q: Subject(
        "", [NODE, str(modules / ".bin/functions-framework"), f"--source={peers / 'framework.js'}", "--target=handler",
             f"--port={q}"], port=q)
    r = port()
    invoke["workerd"] = lambda r=r: Subject(
        "", [str(modules / ".bin/workerd"), "serve", str(peers / "workerd.capnp"), "-shttp=127.0.0.1:%d" % r], port=r)
    s, t = port(), port()
    invoke["serverless-offline, Python"] = lambda s=s, t=t: Subject(
        "", [NODE, str(modules / ".bin/serverless"), "offline", "--httpPort", str(s), "--lambdaPort", str(t), "--noPrependStageInUrl"],
        path="/python", port=s, cwd=serverless(), env={"SLS_NOTIFICATIONS_MODE": "off", "SLS_TELEMETRY_DISABLED": "1"})
    invoke["ministack, Python"] = Ministack
    return invoke


def serverless():
    """serverless-offline's project, where it finds its plugin."""
    folder = WORK / "serverless"
    shutil.copytree(HERE / "peers/serverless", folder, dirs_exist_ok=True)
    return folder


def install():
    WORK.mkdir(parents=True, exist_ok=True)
    if not (WORK / "venv/bin/functions-framework").exists():
        subprocess.check_call([PYTHON, "-m", "venv", WORK / "venv"])
        subprocess.check_call([WORK / "venv/bin/pip", "install", "--quiet", "--disable-pip-version-check", *PIP])
    # It pins what boto3 needs newer.
    if not (WORK / "venv-ministack/bin/ministack").exists():
        subprocess.check_call([PYTHON, "-m", "venv", WORK / "venv-ministack"])
        subprocess.check_call([WORK / "venv-ministack/bin/pip", "install", "--quiet", "--disable-pip-version-check", "ministack"])
    if not all((WORK / "node_modules" / name).exists() for name in NPM):
        (WORK / "package.json").write_text('{"private": true}\n')
        subprocess.check_call(["npm", "install", "--no-audit", "--no-fund", "--silent", *NPM], cwd=WORK)


def build():
    for package in ("localstack", "bench"):
        subprocess.check_call(["cargo", "build", "--release", "--locked", "-p", package], cwd=ROOT)
    return str(ROOT / "target/release/load")


# ---- The tables -------------------------------------------------------------------------------------------------------


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def ratios(rows, ours, floors):
    """How many times as much as us each takes, or does."""
    shown = []
    for name, row in rows.items():
        us = rows[ours(name)]
        shown.append([
            name, f"{row['one']['p50_us']:.0f}", f"{row['one']['p99_us']:.0f}", f"{row['many']['per_second']:,.0f}",
            f"{row['many']['cpu_us']:.0f}", f"{row['cold_ms']:.1f}", f"{row['boot_ms']:.0f}", f"{row['pss_mb']:.0f}",
            "" if row is us else f"{us['one']['p50_us'] / row['one']['p50_us']:.2f}",
            "" if row is us else f"{us['many']['per_second'] / row['many']['per_second']:.2f}",
        ])
    head = ["", "p50 µs", "p99 µs", "req/s at 16", "CPU µs/req at 16", "first call ms", "boot ms", "PSS MB", "our p50 ÷ its", "our req/s ÷ its"]
    return table(head, shown)


def starts():
    def median(command):
        times = []
        for _ in range(15):
            began = time.perf_counter()
            subprocess.check_call(command)
            times.append((time.perf_counter() - began) * 1000)
        return statistics.median(times)
    return {"python3 -c pass": median([PYTHON, "-c", "pass"]), "node -e 0": median([NODE, "-e", "0"])}


def main():
    only = sys.argv[1:]
    install()
    invoking, reading, queueing = {}, {}, {}

    def wanted(name):
        return not only or any(word in name for word in only)

    for name, make in subjects().items():
        if wanted(name):
            with make() as subject:
                invoking[name] = subject.measure()
            print(name, json.dumps(invoking[name]), flush=True)
    for language in OURS:
        name = f"Function Runner, {'Python' if language == 'PYTHON' else 'Node'}"
        with Runner(name) as us:
            time.sleep(1)
            us.invoking(language)
            invoking[name] = us.measure()
        print(name, json.dumps(invoking[name]), flush=True)
    if wanted("read"):
        name = "floor: axum, one SQLite read"
        with Subject(name, [LOAD, "floor-read"], path="/functions/77", event=None, expected='"n":77') as floor:
            reading[name] = floor.measure()
        dynalite(reading)
        with Runner("GET /functions/{id}") as us:
            us.reading()
            reading["Function Runner, token checked"] = us.measure()
        print(json.dumps(reading), flush=True)
    if wanted("queue"):
        with Runner("ASYNC") as us:
            time.sleep(1)
            queueing = us.queueing()
        print(json.dumps(queueing), flush=True)
    text = report(invoking, reading, queueing, starts())
    print(text)
    if not only:
        document = ROOT / "docs/PERFORMANCE.md"
        old = document.read_text()
        before, rest = old.split(MARKS[0])
        document.write_text(before + MARKS[0] + "\n" + text + "\n" + MARKS[1] + rest.split(MARKS[1])[1])


def dynalite(reading):
    modules, p, q = WORK / "node_modules", free_port(), free_port()
    name = "FastAPI, boto3, dynalite"
    with Subject(name, [NODE, str(modules / ".bin/dynalite"), "--port", str(p)], port=p):
        env = {"DYNALITE": f"http://127.0.0.1:{p}", "PYTHONPATH": str(HERE / "peers")}
        fill = (
            "import fastapi_dynalite as f; c = f.table.meta.client\n"
            "c.create_table(TableName='functions', BillingMode='PAY_PER_REQUEST', KeySchema=[{'AttributeName': 'id', 'KeyType': 'HASH'}],"
            " AttributeDefinitions=[{'AttributeName': 'id', 'AttributeType': 'S'}])\n"
            "c.get_waiter('table_exists').wait(TableName='functions')\n"
            "f.table.put_item(Item={'id': '77', 'n': 77, 'pad': 'x' * 800})\n")
        subprocess.run([WORK / "venv/bin/python", "-c", fill], check=True, env={**os.environ, **env})
        command = [str(WORK / "venv/bin/uvicorn"), "fastapi_dynalite:app", "--port", str(q), "--no-access-log"]
        with Subject(name, command, path="/functions/77", event=None, expected='"n":77', port=q, env=env) as peer:
            reading[name] = peer.measure()


def report(invoking, reading, queueing, started):
    def ours(name):
        node = any(word in name.lower() for word in ("node", "npm", "workerd"))
        return f"Function Runner, {'Node' if node else 'Python'}"

    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    commit = subprocess.check_output(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, text=True).strip()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    facts = (
        f"Measured {time.strftime('%Y-%m-%d')} at {commit}: {cpu[1] if cpu else platform.machine()}, {os.cpu_count()} CPUs, "
        f"{memory:.0f} GB, Linux {platform.release()}, load {os.getloadavg()[0]:.1f} when done; Python {platform.python_version()}, "
        f"Node {subprocess.check_output([NODE, '--version'], text=True).strip()}. {SECONDS:.0f} s a figure.")
    parts = [facts, "### SYNC invocations, warm", ratios(invoking, ours, None)]
    if reading:
        parts += ["### Reading a function by id", ratios(reading, lambda _: "Function Runner, token checked", None)]
    if queueing:
        parts += ["### ASYNC", table(["", ""], [[name, f"{figure:,.1f}"] for name, figure in queueing.items()])]
    parts += ["### Interpreters alone", table(["", "ms"], [[name, f"{figure:.1f}"] for name, figure in started.items()])]
    return "\n\n".join(parts)


if __name__ == "__main__":
    LOAD = os.environ.get("BENCH_LOAD") or build()
    main()
