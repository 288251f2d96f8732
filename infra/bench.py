#!/usr/bin/env python3
"""Starts each Lambda binary under a stand-in of Lambda: bench.py FOLDER-OF-BINARIES [--runs N].

Measures from the process's start to its first request for work: time, processor time, peak memory. Then gives it one request
and sees whether it opens a connection for it. Prints a table and puts it into docs/PERFORMANCE.md. Binaries take turns,
beside one that does nothing (functions/janitor/examples/nothing.rs), so that a busy machine is no binary's misfortune.
"""

import argparse
import contextlib
import http.server
import json
import os
import pathlib
import platform
import socketserver
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from package import ROOT, binaries

FLOOR = "examples/nothing"
DOCUMENT = ROOT / "docs" / "PERFORMANCE.md"
BEGIN, END = "<!-- lambda bench: begin -->\n", "<!-- lambda bench: end -->"
SECRET = "a secret of at least thirty-two bytes, for a bench"
NOBODY = "00000000-0000-4000-8000-000000000000"


def request_event(method: str, path: str, body: dict | None = None) -> dict:
    """A request as API Gateway sends it: HTTP API, payload 2.0."""
    http_part = {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "bench"}
    context = {
        "accountId": "1", "apiId": "a", "domainName": "a.example", "domainPrefix": "a", "requestId": "r",
        "routeKey": "$default", "stage": "$default", "time": "12/Mar/2026:19:03:58 +0000", "timeEpoch": 1, "http": http_part,
    }
    return {
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "",
        "headers": {"host": "a.example", "content-type": "application/json"}, "requestContext": context,
        "isBase64Encoded": False, **({"body": json.dumps(body)} if body else {}),
    }


# A request of each kind that asks the table one thing after another: what it needs is then connected, or not.
EVENTS = {
    "function-runner-routes": lambda: request_event("GET", f"/run/{NOBODY}/hook"),
    "function-runner-table-routes": lambda: request_event("POST", "/users/register", {"username": "nobody", "name": "N", "password": "password"}),
    "worker": lambda: {"Records": [{"messageId": "1", "receiptHandle": "r", "body": json.dumps({"job_id": 1, "workspace_id": NOBODY})}]},
}


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, *_):
        """A process that was ended leaves its connections in the middle of something."""


class Lambda:
    """What a process under test talks to: Lambda's runtime API, and AWS."""

    def __init__(self, event):
        self.event, self.connections, self.calls = event, 0, []
        self.asked = threading.Event()
        self.answered = threading.Event()
        self.done = threading.Event()
        self.asked_at = self.answered_at = self.given_at = 0.0
        self.failure = None
        self.before = (0, [])
        self.on_asked = lambda: None
        self.runtime = Server(("127.0.0.1", 0), handler(self, is_runtime=True))
        self.aws = Server(("127.0.0.1", 0), handler(self, is_runtime=False))
        for one in (self.runtime, self.aws):
            threading.Thread(target=one.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self):
        self.done.set()
        for one in (self.runtime, self.aws):
            one.shutdown()
            one.server_close()


def handler(world: Lambda, is_runtime: bool):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def setup(self):
            super().setup()
            if not is_runtime:
                world.connections += 1

        def log_message(self, *_):
            pass

        def answer(self, status, body, headers=()):
            body = json.dumps(body).encode()
            self.send_response(status)
            for name, value in (("Content-Type", "application/json"), *headers, ("Content-Length", str(len(body)))):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self):
            if not is_runtime:
                world.calls.append("GetFunctionConfiguration")
                return self.answer(404, {"Message": "no such function"}, [("x-amzn-errortype", "ResourceNotFoundException")])
            if world.asked.is_set() or world.event is None:
                self.first()
                world.done.wait()
                return None
            self.first()
            world.before = (world.connections, list(world.calls))
            deadline = str(int(time.time() * 1000) + 30_000)
            headers = [("Lambda-Runtime-Aws-Request-Id", "1"), ("Lambda-Runtime-Deadline-Ms", deadline),
                       ("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:1:function:bench")]
            world.given_at = time.monotonic()
            return self.answer(200, world.event, headers)

        def first(self):
            if not world.asked.is_set():
                world.asked_at = time.monotonic()
                world.on_asked()
                world.asked.set()

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if is_runtime:
                if "/error" in self.path:
                    world.failure = body.decode()
                    world.asked.set()
                world.answered_at = time.monotonic()
                world.answered.set()
                return self.answer(202, {})
            name = self.headers.get("x-amz-target", "").split(".")[-1]
            world.calls.append(name)
            return self.answer(200, {"SecretString": SECRET} if name == "GetSecretValue" else {})

    return Handler


def environment(world: Lambda, name: str) -> dict:
    warm_up = "table" if name.endswith("-table-routes") else "" if name == "fallback" else "table,runtime"
    return {
        "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:%d" % world.runtime.server_address[1],
        "AWS_LAMBDA_FUNCTION_NAME": "bench", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256", "AWS_LAMBDA_FUNCTION_VERSION": "1",
        "AWS_LAMBDA_LOG_STREAM_NAME": "s", "AWS_LAMBDA_LOG_GROUP_NAME": "g",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:%d" % world.aws.server_address[1],
        "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_EC2_METADATA_DISABLED": "true",
        "TABLE_NAME": "t", "CODE_BUCKET": "b", "QUEUE_URL": "https://sqs/q", "DLQ_URL": "https://sqs/d",
        "FUNCTION_NAME_PREFIX": "fr-bench-user-", "EXECUTION_ROLE_ARN": "arn:aws:iam::1:role/r", "TOKEN_SECRET_ID": "s",
        "WARM_UP": warm_up,
    }


def one_run(name: str, binary: pathlib.Path) -> dict:
    world = Lambda(EVENTS.get(name, lambda: None)())
    seen = {}
    begun = threading.Event()
    started = time.monotonic()

    def look():
        begun.wait()
        status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
        seen["rss"] = int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024
        # Nanoseconds on a processor, of each thread.
        seen["cpu"] = 0.0
        for thread in pathlib.Path(f"/proc/{process.pid}/task").glob("*/schedstat"):
            with contextlib.suppress(OSError):  # a thread that has just ended
                seen["cpu"] += int(thread.read_text().split()[0]) / 1e6

    # Before the process is: it may ask sooner than this goes on.
    world.on_asked = look
    with subprocess.Popen([binary], env=environment(world, name), stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        begun.set()
        came = world.asked.wait(60) and not world.failure
        if came and world.event is not None:
            world.answered.wait(60)
        connections = world.connections - world.before[0]
        process.kill()
        output = process.stdout.read().decode(errors="replace")
    world.stop()
    if not came or world.failure:
        sys.exit(f"{name} did not ask for work: {world.failure or ''}\n{output[-2000:]}")
    if name in EVENTS and connections:
        sys.exit(f"{name} opened {connections} connections for its first request: it was not warm\n{output[-2000:]}")
    seen["init"] = (world.asked_at - started) * 1000
    seen["calls"] = world.before[1] if world.event is not None else world.calls
    seen["first"] = (world.answered_at - world.given_at) * 1000 if world.event is not None else None
    return seen


def stripped_size(binary: pathlib.Path) -> int:
    with tempfile.NamedTemporaryFile() as stripped:
        subprocess.run(["strip", "-o", stripped.name, binary], check=True)
        return pathlib.Path(stripped.name).stat().st_size


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--runs", type=int, default=15)
    arguments = parser.parse_args()
    built = {name: arguments.folder / name for name in [FLOOR, *binaries()]}
    built = {name: binary for name, binary in built.items() if binary.is_file()}
    results = {name: [] for name in built}
    for _ in range(arguments.runs):
        for name, binary in built.items():
            results[name].append(one_run(name, binary))

    def middle(name: str, what: str) -> float:
        return statistics.median(run[what] for run in results[name])

    def least(name: str, what: str) -> float:
        return min(run[what] for run in results[name])

    lines = [
        "| binary | MB, stripped | init, ms | processor, ms | × | peak memory, MB | × | at init it asks |",
        "|---|--:|--:|--:|--:|--:|--:|---|",
    ]
    for name, binary in built.items():
        init, cpu, rss = least(name, "init"), middle(name, "cpu"), middle(name, "rss")
        calls = ", ".join(sorted(results[name][0]["calls"])) or "nothing"
        lines.append(
            f"| {name if name != FLOOR else 'floor: does nothing'} | {stripped_size(binary) / 1e6:.1f} | {init:.1f} | {cpu:.1f} "
            f"| {cpu / middle(FLOOR, 'cpu'):.1f} | {rss:.1f} | {rss / middle(FLOOR, 'rss'):.1f} | {calls} |"
        )
    firsts = ", ".join(f"{name} {least(name, 'first'):.1f} ms" for name in EVENTS if name in built)
    table = "\n".join(lines) + (
        f"\n\n{arguments.runs} runs each, {time.strftime('%Y-%m-%d')}, {platform.machine()}, {os.cpu_count()} processors: the shortest time, "
        f"median processor time and memory. The first request opened no connection, and took (a password's hash included) "
        f"{firsts}.\n"
    )
    print(table)
    before, rest = DOCUMENT.read_text().split(BEGIN)
    DOCUMENT.write_text(before + BEGIN + table + END + rest.split(END, 1)[1])


if __name__ == "__main__":
    main()
