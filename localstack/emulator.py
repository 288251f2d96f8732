#!/usr/bin/env python3
"""The SAM stack on an emulator of AWS, on this machine: emulator.py [--skips FILE] [-- COMMAND ...].

Starts ministack on a free port of 127.0.0.1, deploys template.yaml to it with `sam deploy`, and prints where the API is.
With a COMMAND: runs it with FUNCTION_RUNNER_TEST_URL set, stops the emulator, and exits as it did.
With FILE, the COMMAND also gets a `--skip` for every test that it names. Without a COMMAND: serves until Ctrl-C. The binaries must have been packaged for this machine (`make emulator` does both).
"""

import contextlib
import json
import os
import pathlib
import platform
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".emulator" / "bin"
STACK = "function-runner-emulator"


def free_port() -> int:
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def environment(port: int, scratch: pathlib.Path) -> dict[str, str]:
    """What the emulator, sam and the Lambdas see: nothing of the caller's own AWS account."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return own | {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        # Every Lambda acts as its own role, and may what its policy says.
        "AUTH": "true",
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "MINISTACK_HOST": "127.0.0.1",
        "LAMBDA_EXECUTOR": "local",
        "SAM_CLI_TELEMETRY": "0",
        "TMPDIR": str(scratch),
    }


def wait_until_up(emulator: subprocess.Popen, url: str, log: pathlib.Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if emulator.poll() is not None:
            sys.exit(f"the emulator ended by itself:\n{log.read_text()[-4000:]}")
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"{url}/_ministack/health", timeout=2).close()
            return
        time.sleep(0.1)
    sys.exit(f"the emulator did not start within a minute; its log is {log}")


def deploy(env: dict[str, str]) -> None:
    architecture = "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"
    command = [TOOLS / "sam", "deploy", "--stack-name", STACK, "--resolve-s3", "--no-progressbar"]
    command += ["--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND", "--no-confirm-changeset"]
    command += ["--parameter-overrides", "Environment=emulator", f"Architecture={architecture}"]
    done = subprocess.run(command, cwd=ROOT, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        sys.exit(f"sam deploy failed:\n{done.stdout[-8000:]}")


def client(service: str, env: dict[str, str]) -> object:
    import boto3

    return boto3.client(service, endpoint_url=env["AWS_ENDPOINT_URL"], region_name="us-east-1",
                        aws_access_key_id="test", aws_secret_access_key="test")


def let_creators_create(env: dict[str, str]) -> None:
    """ministack checks lambda:CreateFunction against `*`, AWS against the function's name. Who may create by name
    (and nobody else) may create anything here; all other statements are enforced as they are written."""
    iam = client("iam", env)
    anything = {"Version": "2012-10-17",
                "Statement": [{"Effect": "Allow", "Action": "lambda:CreateFunction", "Resource": "*"}]}
    for page in iam.get_paginator("list_roles").paginate():
        for role in (role["RoleName"] for role in page["Roles"]):
            policies = iam.list_role_policies(RoleName=role)["PolicyNames"]
            texts = [json.dumps(iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]) for name in policies]
            if any("lambda:CreateFunction" in text for text in texts):
                iam.put_role_policy(RoleName=role, PolicyName="emulator", PolicyDocument=json.dumps(anything))


def api_url(env: dict[str, str], port: int) -> str:
    outputs = client("cloudformation", env).describe_stacks(StackName=STACK)["Stacks"][0]["Outputs"]
    api = next(output["OutputValue"] for output in outputs if output["OutputKey"] == "ApiId")
    # By path: a name per API would have to be resolved by somebody.
    return f"http://127.0.0.1:{port}/_aws/execute-api/{api}/$default"


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def main() -> int:
    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGINT, interrupt)
    arguments = sys.argv[1:]
    command = arguments[arguments.index("--") + 1:] if "--" in arguments else []
    if arguments[:1] == ["--skips"]:
        lines = pathlib.Path(arguments[1]).read_text().splitlines()
        names = [line.split(": ")[0] for line in lines if line and not line.startswith("#")]
        command += [argument for name in names for argument in ("--skip", name)]
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="emulator-"))
    port = free_port()
    env = environment(port, scratch)
    log = ROOT / "target" / "emulator.log"
    log.parent.mkdir(exist_ok=True)
    begun = time.monotonic()
    with log.open("wb") as output:
        emulator = subprocess.Popen([TOOLS / "ministack"], env=env, stdin=subprocess.DEVNULL, stdout=output,
                                    stderr=subprocess.STDOUT, start_new_session=True)
    try:
        wait_until_up(emulator, env["AWS_ENDPOINT_URL"], log)
        deploy(env)
        let_creators_create(env)
        url = api_url(env, port)
        print(f"deployed in {time.monotonic() - begun:.0f} s; the emulator's log is {log}", file=sys.stderr)
        print(url, flush=True)
        if not command:
            signal.pause()
        env["FUNCTION_RUNNER_TEST_URL"] = url
        return subprocess.run(command, cwd=ROOT, env=env).returncode
    except KeyboardInterrupt:
        return 0
    finally:
        # The Lambdas are its children, in the session that was made for it.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(emulator.pid, signal.SIGKILL)
        emulator.wait()
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
