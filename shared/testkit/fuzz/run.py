"""Fuzzes a live server by its own OpenAPI document.

Starts `function-runner` on a data directory of its own, checks that `/openapi.json` is valid OpenAPI 3.1, gives a user
one of everything, and lets schemathesis call every route with that user's token: no 500, no status or body that the
document doesn't know.

    python run.py path/to/function-runner
"""

import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

from openapi_spec_validator import OpenAPIV31SpecValidator

CODE = "def handler(event):\n    return event\n"

# What is checked of every answer. Left out, with the reason:
# - positive_data_acceptance: whether a valid body is accepted depends on what is stored (names taken, code that parses).
# - unsupported_method, missing_required_header: methods and headers are tested by the contract tests.
CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "ignored_auth",
]


def call(url, path, body=None, token=None, method=None):
    request = urllib.request.Request(url + path, method=method or ("POST" if body is not None else "GET"))
    request.add_header("content-type", "application/json")
    if token:
        request.add_header("authorization", f"Bearer {token}")
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(request, data) as response:
        return json.load(response)


def prepare(url):
    """A user with one of everything; their token and what stands in the document's paths."""
    person = {"username": "fuzzer", "password": "correct horse battery"}
    call(url, "/users/register", {**person, "name": "Fuzzer"})
    token = call(url, "/users/login", person)["access_token"]
    workspace = call(url, "/workspaces/", {"name": "fuzz"}, token)["id"]
    function = call(
        url,
        "/functions/",
        {"name": "echo", "runtime": "PYTHON", "code": CODE, "workspace_id": workspace, "public": True},
        token,
    )["id"]
    job = call(url, f"/functions/{function}/invoke", {}, token)["job_id"]
    key = call(url, f"/workspaces/{workspace}/auth-keys", {}, token)
    return token, key["key"], {
        "workspace_id": workspace,
        "function_id": function,
        "id": job,
        "key_id": key["id"],
        "endpoint": "echo",
        "ws_id": workspace,
        "fn_id": function,
    }


def config(ids, key):
    """Key routes get the key; with ids, every call is about what is there."""
    parameters = "\n".join(f"\"path.{name}\" = {json.dumps(value)}" for name, value in ids.items())
    # `id` names a job, but below /api a workspace.
    workspace = f"""
[[operations]]
include-path = "/api/workspaces/{{id}}"
parameters = {{ "path.id" = {json.dumps(ids["ws_id"])} }}
""" if ids else ""
    return f"""
[parameters]
{parameters}
{workspace}
[[operations]]
include-operation-id = "functions.invoke_workspace"
headers = {{ Authorization = "Bearer {key}" }}
"""


# What would take away what the other calls are about.
DESTRUCTIVE = [
    "workspaces.delete",
    "functions.delete",
    "workspaces.auth_keys.revoke",
    "api.workspaces.delete",
    "api.functions.delete",
]


def fuzz(url, directory, token, key, ids):
    path = Path(directory, "schemathesis.toml")
    path.write_text(config(ids, key))
    excluded = [f"--exclude-operation-id={operation}" for operation in DESTRUCTIVE if ids]
    return subprocess.call(
        [
            str(Path(sys.executable).with_name("schemathesis")),
            "--config-file", str(path),
            "run", f"{url}/openapi.json",
            "--header", f"Authorization: Bearer {token}",
            "--checks", ",".join(CHECKS),
            "--max-examples", os.environ.get("FUZZ_EXAMPLES", "25"),
            "--seed", os.environ.get("FUZZ_SEED", "1"),
            "--request-timeout", "40",
            "--no-color",
            *excluded,
        ],
        cwd=directory,
    )


def main():
    binary = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as directory:
        log = open(Path(directory, "log"), "wb")
        server = subprocess.Popen(
            [binary, "serve", "--port", "0", "--data", Path(directory, "data")],
            stdout=subprocess.PIPE, stderr=log, text=True,
        )
        try:
            url = server.stdout.readline().strip().removeprefix("listening on ")
            document = call(url, "/openapi.json")
            OpenAPIV31SpecValidator(document).validate()
            print(f"openapi.json is valid: {sum(len(item) for item in document['paths'].values())} operations")
            token, key, ids = prepare(url)
            # First about what is there, then about whatever the fuzzer makes up.
            failed = fuzz(url, directory, token, key, ids) or fuzz(url, directory, token, key, {})
            if failed or server.poll() is not None:
                print(Path(directory, "log").read_text()[-20000:], file=sys.stderr)
                sys.exit("the fuzzer found something: see above")
        finally:
            server.terminate()
            server.wait(15)


main()
