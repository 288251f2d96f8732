"""What people run functions with today, and the floors: how each is installed and started."""

import base64
import io
import json
import os
import shutil
import subprocess
import urllib.request
import zipfile

from measuring import HERE, LOAD, PYTHON, ROOT, WORK, Subject, free_port

NODE = shutil.which("node")
PEERS = HERE / "peers"
MODULES = WORK / "node_modules"
# Environments apart where two pin one package differently.
VENVS = {
    "venv": ["functions-framework==3.10.*", "fastapi", "uvicorn", "boto3"],
    "venv-ministack": ["ministack"],
    "venv-lambda": ["cargo-lambda", "ziglang"],
}
NPM = ["serverless-offline", "osls", "@google-cloud/functions-framework", "workerd", "dynalite"]


def install():
    """Everything, where it is not there yet, into target/bench."""
    WORK.mkdir(parents=True, exist_ok=True)
    for name, packages in VENVS.items():
        if not (WORK / name / ".ready").exists():
            subprocess.check_call([PYTHON, "-m", "venv", WORK / name])
            subprocess.check_call([WORK / name / "bin/pip", "install", "--quiet", "--disable-pip-version-check", *packages])
            (WORK / name / ".ready").touch()
    if not all((MODULES / name).exists() for name in NPM):
        (WORK / "package.json").write_text('{"private": true}\n')
        subprocess.check_call(["npm", "install", "--no-audit", "--no-fund", "--silent", *NPM], cwd=WORK)


def build():
    """The server and the load generator, as they are released."""
    for package in ("function-runner", "bench"):
        subprocess.check_call(["cargo", "build", "--release", "--locked", "-p", package], cwd=ROOT)


def floor_run(program, script):
    return Subject([LOAD, "floor-run", program, PEERS / script])


def floor_read():
    return Subject([LOAD, "floor-read"], path="/functions/77", event=None, expected='"n":77')


def framework_python():
    port = free_port()
    return Subject([WORK / "venv/bin/functions-framework", "--source", PEERS / "framework.py", "--target", "handler",
                    "--host", "127.0.0.1", "--port", port], port=port)


def framework_node():
    port = free_port()
    return Subject([NODE, MODULES / ".bin/functions-framework", f"--source={PEERS / 'framework.js'}", "--target=handler",
                    f"--port={port}"], port=port)


def workerd():
    port = free_port()
    return Subject([MODULES / ".bin/workerd", "serve", PEERS / "workerd.capnp", f"-shttp=127.0.0.1:{port}"], port=port)


def serverless(language):
    # Its project lies where it finds its plugin.
    folder = WORK / "serverless"
    shutil.copytree(PEERS / "serverless", folder, dirs_exist_ok=True)
    port, inner = free_port(), free_port()
    return Subject([NODE, MODULES / ".bin/serverless", "offline", "--httpPort", port, "--lambdaPort", inner], path=f"/{language}",
                   port=port, cwd=folder, env={"SLS_NOTIFICATIONS_MODE": "off", "SLS_TELEMETRY_DISABLED": "1"})


def cargo_lambda():
    """A crate whose binary becomes python3, which speaks Lambda's runtime API. Built before it is timed."""
    folder = WORK / "lambda"
    shutil.copytree(PEERS / "lambda", folder, dirs_exist_ok=True)
    env = {"BENCH_PYTHON": PYTHON, "BENCH_BOOTSTRAP": str(PEERS / "lambda/bootstrap.py"), "CARGO_TARGET_DIR": str(folder / "target")}
    subprocess.check_call(["cargo", "build", "--quiet"], cwd=folder, env={**os.environ, **env})
    port = free_port()
    return Subject([WORK / "venv-lambda/bin/cargo-lambda", "lambda", "watch", "--ignore-changes", "--invoke-address", "127.0.0.1",
                    "--invoke-port", port], path="/2015-03-31/functions/bootstrap/invocations", port=port, cwd=folder, env=env)


class Ministack(Subject):
    """ministack's Lambda, with a function; asked as an SDK asks, without the signature."""

    def __init__(self):
        port = free_port()
        env = {"BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "LAMBDA_EXECUTOR": "local"}
        super().__init__([WORK / "venv-ministack/bin/ministack"], port=port, env=env, path="/2015-03-31/functions/bench/invocations")

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


class FastApi(Subject):
    """FastAPI, which reads an item by id with boto3 from dynalite; both are counted."""

    def __init__(self):
        port, self.table_port = free_port(), free_port()
        self.table = Subject([NODE, MODULES / ".bin/dynalite", "--port", self.table_port], port=self.table_port)
        env = {"DYNALITE": f"http://127.0.0.1:{self.table_port}", "PYTHONPATH": str(PEERS)}
        super().__init__([WORK / "venv/bin/uvicorn", "fastapi_dynalite:app", "--port", port, "--no-access-log"],
                         path="/functions/77", event=None, expected='"n":77', port=port, env=env)

    def __enter__(self):
        self.table.__enter__()
        command = [WORK / "venv/bin/python", "-c", "import fastapi_dynalite; fastapi_dynalite.fill()"]
        subprocess.run(command, check=True, env={**os.environ, **self.env})
        return super().__enter__()

    def __exit__(self, *_):
        super().__exit__()
        self.table.__exit__()


# In the order of the table. The language says which of our functions each is compared with.
INVOKING = {
    "floor: axum, two bare python3": ("Python", lambda: floor_run(PYTHON, "floor.py")),
    "functions-framework (PyPI)": ("Python", framework_python),
    "serverless-offline, Python": ("Python", lambda: serverless("python")),
    "cargo lambda watch, Python bootstrap": ("Python", cargo_lambda),
    "ministack Invoke, Python": ("Python", Ministack),
    "floor: axum, two bare node": ("Node", lambda: floor_run(NODE, "floor.js")),
    "functions-framework (npm)": ("Node", framework_node),
    "serverless-offline, Node": ("Node", lambda: serverless("node")),
    "workerd": ("Node", workerd),
}
READING = {
    "floor: axum, one SQLite read": floor_read,
    "FastAPI, boto3, dynalite": FastApi,
}
