#!/usr/bin/env python3
"""Asks a deployed stack for what it is there for: smoke.py STACK-OR-URL.

Registers a user, saves a function in each language, runs both, SYNC and ASYNC, and deletes what it made.
"""

import json
import secrets
import sys
import time
import urllib.error
import urllib.request


class Caller:
    def __init__(self, url: str) -> None:
        self.url, self.token = url.rstrip("/"), None

    def __call__(self, method: str, path: str, body: object = None) -> dict:
        headers = {"content-type": "application/json"}
        if self.token:
            headers["authorization"] = f"Bearer {self.token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=40) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            sys.exit(f"{method} {path}: {error.code} {error.read().decode(errors='replace')}")


def main() -> None:
    url = sys.argv[1]
    if not url.startswith("http"):
        import boto3

        stack = boto3.client("cloudformation").describe_stacks(StackName=url)["Stacks"][0]
        url = next(out["OutputValue"] for out in stack["Outputs"] if out["OutputKey"] == "Url")
    call = Caller(url)
    user = {"username": f"smoke_{secrets.token_hex(6)}", "name": "Smoke test", "password": secrets.token_urlsafe(24)}
    call("GET", "/health")
    call("POST", "/users/register", user)
    call.token = call("POST", "/users/login", {"username": user["username"], "password": user["password"]})["access_token"]
    workspace = call("POST", "/workspaces/", {"name": "Smoke test"})["id"]
    try:
        codes = {"PYTHON": "def handler(event):\n    return event['n'] * 2",
                 "NODEJS": "exports.handler = async (event) => event.n * 2"}
        for runtime, code in codes.items():
            for kind in ("SYNC", "ASYNC"):
                new = {"name": f"{runtime.lower()}-{kind.lower()}", "runtime": runtime, "code": code,
                       "execution_type": kind, "workspace_id": workspace}
                function = call("POST", "/functions/", new)["id"]
                job = call("POST", f"/functions/{function}/invoke", {"n": 21})
                deadline = time.monotonic() + 60
                while job["status"] in ("pending", "running") and time.monotonic() < deadline:
                    time.sleep(0.5)
                    job = call("GET", f"/jobs/{job.get('job_id') or job['id']}")
                if (job["status"], job["output"]) != ("success", 42):
                    sys.exit(f"{runtime} {kind}: {job}")
                print(f"{runtime} {kind}: ok")
    finally:
        call("DELETE", f"/workspaces/{workspace}")


if __name__ == "__main__":
    main()
