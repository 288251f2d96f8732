"""What is measured, one function a section. Each returns what goes into results.json under its name."""

import json
import os
import shutil
import sqlite3
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import peers
from measuring import PYTHON, descendants, pss_mb, program_of, started_ms, wait_until
from ours import Runner

OURS = "Function Runner, "
QUEUED = 10_000
ROUNDS = 3
COUNTED = ("accepted", "success", "error", "pending", "running")


def say(name, row):
    print(f"{name}: {json.dumps(row)}", flush=True)
    return row


def medians(rounds):
    """Of rows of the same shape, the median of each number; none where a round has none."""
    if None in rounds:
        return None
    first = rounds[0]
    if isinstance(first, dict):
        return {name: medians([row[name] for row in rounds]) for name in first}
    return first if isinstance(first, str) else statistics.median(rounds)


def invoke(seconds, only):
    """SYNC invocations: floors, peers and us in turn, and all of them again, for what the machine does meanwhile."""
    return medians([invoke_once(seconds, only) for _ in range(ROUNDS)])


def invoke_once(seconds, only):
    rows = {}
    for language in ("Python", "Node"):
        for name, (of, make) in peers.INVOKING.items():
            if of == language and (not only or only in name):
                with make() as subject:
                    rows[name] = say(name, {"language": language, **subject.measure(seconds)})
        with Runner() as us:
            us.sign_in().invoking(us.function(language))
            rows[OURS + language] = say(OURS + language, {"language": language, **us.measure(seconds)})
    return rows


def read(seconds, only):
    """Reading a function by its id."""
    rows = {}
    for name, make in peers.READING.items():
        if not only or only in name:
            with make() as subject:
                rows[name] = say(name, subject.measure(seconds))
    with Runner() as us:
        us.sign_in().reading(us.function())
        rows[OURS + "token checked"] = say(OURS + "token checked", us.measure(seconds))
    return rows


def cold(seconds, only):
    """First calls of functions never called: with an interpreter at hand, and without."""
    figures = {"python3 -c pass": started_ms([PYTHON, "-c", "pass"]), "node -e 0": started_ms([peers.NODE, "-e", "0"])}
    for language in ("Python", "Node"):
        for spares, name in ((1, "with"), (0, "without")):
            with Runner("--spares", str(spares)) as us:
                us.sign_in()
                took = []
                for turn in range(max(6, int(seconds * 6))):
                    function = us.function(language)
                    if spares:
                        us.warm(2 + turn)
                    took.append(us.invoking(function).first_call_ms())
                # The first also finds the interpreter.
                figures[f"{language}, {name} an interpreter at hand, p50"] = statistics.median(took[1:])
                figures[f"{language}, {name} an interpreter at hand, worst"] = max(took[1:])
    return say("cold", figures)


def queue(seconds, only):
    """ASYNC: how many are accepted, how soon they start, whether all are done, and what another tenant sees of it."""
    rounds = [queue_once(seconds) for _ in range(ROUNDS)]
    return {**medians(rounds), **{name: sum(row[name] for row in rounds) for name in COUNTED}}


def queue_once(seconds):
    with Runner() as us:
        us.sign_in("tenant_b")
        neighbour, theirs = us.function("clock", execution_type="ASYNC"), us.headers
        us.sign_in("tenant_a")
        function, ours = us.function(execution_type="ASYNC"), us.headers
        us.warm()

        def start_ms():
            """From sending the request to the handler's first line, and what the job's record says of it."""
            us.headers = theirs
            began = time.time()
            job = us.call("POST", f"/functions/{neighbour}/invoke", {"n": 41})["job_id"]
            while (told := us.call("GET", f"/jobs/{job}"))["status"] in ("pending", "running"):
                time.sleep(0.001)
            us.headers = ours
            recorded = [time.mktime(time.strptime(told[name][:19], "%Y-%m-%dT%H:%M:%S")) * 1000 + int(told[name][20:23])
                        for name in ("created_at", "started_at")]
            return (told["output"]["at"] - began) * 1000, recorded[1] - recorded[0]

        def done():
            return us.call("GET", f"/functions/{function}/metrics")["success_count"]

        def spaced_ms():
            time.sleep(0.005)
            return start_ms()

        start_ms()
        idle = [spaced_ms() for _ in range(100)]
        us.queueing(function)
        flood = us.load(f"{QUEUED}x", 64)
        crowded, behind = [], []
        while (left := QUEUED - done()) > QUEUED / 10:
            behind.append(left)
            crowded.append(spaced_ms()[0])
        began = time.perf_counter()
        wait_until(lambda: done() >= QUEUED, "drained", 300)
        drained = time.perf_counter() - began
        accepted = us.load(seconds, 64)
        us.load(0.1, 1)
        total = us.call("GET", f"/functions/{function}/jobs?limit=1")["total"]
        wait_until(lambda: done() >= total, "drained", 300)
        counted = {status: us.call("GET", f"/functions/{function}/jobs?status={status}&limit=1")["total"]
                   for status in COUNTED[1:]}
    return say("queue", {
        "accepted per second": accepted["per_second"],
        "accepted per second, the first 10,000": flood["per_second"],
        "accepting p50 ms": accepted["p50_us"] / 1000,
        "accepted to started, idle, by the record, p50 ms": statistics.median(told for _, told in idle),
        "request to handler, idle, p50 ms": statistics.median(took for took, _ in idle),
        "request to handler, behind the others, p50 ms": statistics.median(crowded) if crowded else None,
        "jobs ahead of them": [behind[0], behind[-1]] if behind else None,
        "drain seconds after the last was accepted": drained,
        "accepted": total,
        **counted,
    })


# More than one user may have otherwise.
MANY_FUNCTIONS = ("--functions-per-user", "20000")


def memory(seconds, only):
    """What the server takes with many functions, what an idle worker takes, and when idle workers go."""
    functions, workers = (10_000, 10) if seconds >= 2 else (500, 10)
    with Runner(*MANY_FUNCTIONS) as us:
        us.sign_in().warm()
        figures = {"functions": functions, "server, empty, PSS MB": pss_mb([us.process.pid])}
        for _ in range(functions):
            last = us.function()
        figures["server, so many functions, PSS MB"] = pss_mb([us.process.pid])
        us.reading(last).load(seconds, 16)
        us.invoking(last).load(seconds, 16)
        figures["server, and loaded with 16 connections, PSS MB"] = pss_mb([us.process.pid])
        for language in ("Python", "Node"):
            wait_until(lambda: len(us.interpreters()) <= 2, "idle workers go", 90, 0.5)
            us.warm()
            before = pss_mb(descendants(us.process.pid)[1:])
            for _ in range(workers):
                us.invoking(us.function(language)).first_call_ms()
                us.warm(len(us.interpreters()))
            us.warm(2 + workers)
            began = time.perf_counter()
            figures[f"an idle {language} worker of {workers}, PSS MB"] = (
                pss_mb(descendants(us.process.pid)[1:]) - before) / workers
            if seconds >= 2:
                wait_until(lambda: len(us.interpreters()) <= 2, "idle workers go", 90, 0.5)
                figures[f"seconds until idle {language} workers are gone"] = time.perf_counter() - began
    return say("memory", figures)


def fill_jobs(data, wanted):
    """Multiplies the jobs of a stopped server, as it has recorded them, under ids of their own."""
    database = sqlite3.connect(Path(data) / "function-runner.db")
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = OFF")
    (there,) = database.execute("SELECT count(*) FROM items WHERE pk LIKE 'JOB#%'").fetchone()
    sample = database.execute("SELECT pk, gsi1pk, gsi1sk, gsi2pk, gsi2sk, body FROM items WHERE pk LIKE 'JOB#%' LIMIT 500").fetchall()

    def rows():
        for number in range(there, wanted):
            pk, gsi1pk, gsi1sk, gsi2pk, gsi2sk, body = sample[number % len(sample)]
            old, new = pk.removeprefix("JOB#"), str(2**52 + number)
            yield ("JOB#" + new, "META", gsi1pk, gsi1sk.replace(old, new), gsi2pk, gsi2sk.replace(old, new), body.replace(old, new))

    with database:
        database.executemany("INSERT INTO items (pk, sk, gsi1pk, gsi1sk, gsi2pk, gsi2sk, body) VALUES (?, ?, ?, ?, ?, ?, ?)", rows())
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    (there,) = database.execute("SELECT count(*) FROM items WHERE pk LIKE 'JOB#%'").fetchone()
    database.close()
    os.sync()
    return there


def growth(seconds, only):
    """How cost grows with stored jobs, stored functions, and connections."""
    jobs, functions, connections = [], [], []
    steps = (1_000, 10_000, 100_000, 1_000_000) if seconds >= 2 else (1_000, 10_000)
    with tempfile.TemporaryDirectory(prefix="bench-") as data:
        with Runner(data=data) as us:
            us.sign_in()
            function, headers = us.function(), us.headers
            us.invoking(function).load("1000x", 4)
        for wanted in steps:
            there = fill_jobs(data, wanted)
            with Runner(data=data) as us:
                us.headers = headers
                us.warm()
                row = {"jobs": there}
                us.invoking(function).load(1, 1)
                row["invoke"] = us.load(seconds, 1)
                row["read"] = us.reading(function).load(seconds, 1)
                job = us.call("GET", f"/functions/{function}/jobs?limit=1")["jobs"][0]["id"]
                us.path, us.expected = f"/jobs/{job}", '"status":"success"'
                row["job"] = us.load(seconds, 1)
                us.path, us.expected = f"/functions/{function}/jobs?limit=50", '"total"'
                row["list"] = us.load(seconds, 1)
                jobs.append(say("jobs", row))
    with Runner(*MANY_FUNCTIONS) as us:
        us.sign_in().warm()
        there = 0
        for wanted in (10, 100, 1_000, 10_000) if seconds >= 2 else (10, 100):
            while there < wanted:
                function, there = us.function(), there + 1
            us.invoking(function).load(0.5, 1)
            row = {"functions": there, "invoke": us.load(seconds, 1), "read": us.reading(function).load(seconds, 1),
                   "server_pss_mb": pss_mb([us.process.pid])}
            functions.append(say("functions", row))
        for count in (1, 2, 4, 8, 16, 32, 64):
            us.invoking(function).load(0.5, count)
            row = {"connections": count, "invoke": us.load(seconds, count), "read": us.reading(function).load(seconds, count)}
            connections.append(say("connections", row))
    return {"jobs": jobs, "functions": functions, "connections": connections}


def profile(seconds, only):
    """Where the processors' time goes while 16 connections invoke, as perf sees it: by process, thread and library."""
    if not shutil.which("perf"):
        return {}
    with Runner() as us, tempfile.TemporaryDirectory() as folder:
        us.sign_in().invoking(us.function("Python"))
        us.load(1, 16)
        data = Path(folder) / "perf.data"
        record = ["perf", "record", "-a", "-F", "999", "-g", "-o", data, "--", "sleep", str(seconds)]
        recorder = subprocess.Popen(record, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        load = us.load(seconds + 0.5, 16)
        recorder.wait()
        parts = {}
        for kind in ("comm", "comm,dso", "comm,sym"):
            command = ["perf", "report", "-i", data, "--no-children", "-g", "none", "--sort", kind, "--stdio", "-q", "--percent-limit", "0.5"]
            lines = subprocess.run(command, capture_output=True, text=True).stdout.splitlines()
            parts[kind] = [line.split(None, 1) for line in lines if line.strip() and not line.startswith("#")]
    return say("profile", {"load": load, **parts})


ALL = {"invoke": invoke, "read": read, "cold": cold, "queue": queue, "memory": memory, "growth": growth, "profile": profile}
