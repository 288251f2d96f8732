#!/usr/bin/env python3
"""The SAM stack on an emulator of AWS, on this machine: emulator.py [--test | -- COMMAND ...].

Starts ministack on a free port of 127.0.0.1, deploys template.yaml to it with `sam deploy`, and prints where the API is.

--test: runs the SUITES of every package against it, but for the tests that emulator-skips.txt names, stops it, and fails as they do.
COMMAND: runs it with FUNCTION_RUNNER_TEST_URL set, stops the emulator, and exits as it did.
Without either: serves until Ctrl-C.

The binaries must have been packaged for this machine (`make emulator` and `make emulator-test` do).
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
SKIPS = ROOT / "localstack" / "emulator-skips.txt"
# The test targets that know their server by its URL only.
SUITES = ("contract", "every_route")


def free_port() -> int:
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def environment(port: int, scratch: pathlib.Path) -> dict[str, str]:
    """What the emulator, sam and the Lambdas see, users' too: nothing of the caller's but where programs are."""
    own = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "PYENV_ROOT") if name in os.environ}
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
    command += ["--parameter-overrides", "Environment=emulator", f"Architecture={architecture}", "RegistrationsPerSource=0"]
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


def api_id(env: dict[str, str]) -> str:
    outputs = client("cloudformation", env).describe_stacks(StackName=STACK)["Stacks"][0]["Outputs"]
    return next(output["OutputValue"] for output in outputs if output["OutputKey"] == "ApiId")


def tell_where_it_is(env: dict[str, str], url: str) -> None:
    """What the parameter PublicUrl does where the URL is known before; ministack can't update a nested stack with it."""
    functions = client("lambda", env)
    for page in functions.get_paginator("list_functions").paginate():
        for function in page["Functions"]:
            variables = function.get("Environment", {}).get("Variables", {})
            if "PUBLIC_URL" in variables:
                functions.update_function_configuration(FunctionName=function["FunctionName"],
                                                        Environment={"Variables": variables | {"PUBLIC_URL": url}})


def let_browsers_in(env: dict[str, str]) -> None:
    """ministack keeps an API's CorsConfiguration as CloudFormation spells it, and reads it as API Gateway does."""
    gateway, seen = client("apigatewayv2", env), []
    gateway.meta.events.register("before-parse.apigatewayv2.GetApi",
                                 lambda response_dict, **_: seen.append(json.loads(response_dict["body"])))
    gateway.get_api(ApiId=api_id(env))
    cors = seen[0]["corsConfiguration"]
    gateway.update_api(ApiId=seen[0]["apiId"], CorsConfiguration=cors | {"MaxAge": int(cors["MaxAge"])})


def executables() -> dict[str, str]:
    """The SUITES' binaries by their packages' folders, built with the flags that everything is built with."""
    command = [os.environ.get("CARGO", "cargo"), "build", "--workspace", "--bins", "--tests", "--locked"]
    done = subprocess.run([*command, "--message-format=json"], cwd=ROOT, stdout=subprocess.PIPE, check=True)
    built = [artifact for artifact in map(json.loads, done.stdout.splitlines()) if artifact.get("executable")]
    tests = [artifact for artifact in built if artifact["target"]["kind"] == ["test"] and artifact["target"]["name"] in SUITES]
    folders = [str(pathlib.Path(artifact["manifest_path"]).parent.relative_to(ROOT)) for artifact in tests]
    return dict(sorted(zip(folders, (artifact["executable"] for artifact in tests))))


def print_what_functions_warned_of(env: dict[str, str]) -> None:
    logs = client("logs", env)
    for page in logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix="/function-runner-emulator"):
        for group in (group["logGroupName"] for group in page["logGroups"]):
            for events in logs.get_paginator("filter_log_events").paginate(logGroupName=group):
                lines = [event["message"].strip() for event in events["events"]]
                bad = [line for line in lines if '"level":"WARN"' in line or '"level":"ERROR"' in line]
                print(*(f"{group}: {line}" for line in bad), sep="\n", end="\n" * bool(bad), file=sys.stderr)


def test(env: dict[str, str]) -> int:
    lines = [line for line in SKIPS.read_text().splitlines() if line and not line.startswith("#")]
    skips = [line.split(": ")[0].rsplit("/", 1) for line in lines]
    failed = []
    for folder, executable in executables().items():
        print(f"--- {folder}", flush=True)
        skip = [word for of, name in skips if of == folder for word in ("--skip", name)]
        command = [executable, "--exact", "--test-threads", "4", *skip]
        # Where it stands when cargo runs it.
        failed += [folder] * (subprocess.run(command, cwd=ROOT / folder, env=os.environ | env).returncode != 0)
    if failed:
        print_what_functions_warned_of(env)
        print(f"failed against the emulator: {', '.join(failed)}", file=sys.stderr)
    return len(failed)


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def main() -> int:
    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGINT, interrupt)
    arguments = sys.argv[1:]
    command = arguments[arguments.index("--") + 1:] if "--" in arguments else []
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
        # By path: a name per API would have to be resolved by somebody.
        url = f"http://127.0.0.1:{port}/_aws/execute-api/{api_id(env)}"
        tell_where_it_is(env, url)
        let_creators_create(env)
        let_browsers_in(env)
        print(f"deployed in {time.monotonic() - begun:.0f} s; the emulator's log is {log}", file=sys.stderr)
        print(url, flush=True)
        env["FUNCTION_RUNNER_TEST_URL"] = url
        if "--test" in arguments:
            return test(env)
        if not command:
            signal.pause()
        return subprocess.run(command, cwd=ROOT, env=os.environ | env).returncode
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
