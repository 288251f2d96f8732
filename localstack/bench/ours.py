"""Us: the server as `make run` starts it, sandbox and all, with a user, a workspace and functions."""

import http.client
import json
import tempfile
import time

from measuring import EVENT, ROOT, Subject, descendants, program_of, wait_until

CODE = {
    "Python": ("PYTHON", "def handler(event):\n    return {'n': event['n'] + 1}\n"),
    "Node": ("NODEJS", "exports.handler = (event) => ({ n: event.n + 1 });\n"),
    # Tells when it began.
    "clock": ("PYTHON", "import time\n\n\ndef handler(event):\n    return {'at': time.time()}\n"),
}


class Runner(Subject):
    """A server on a data directory of its own, or on one that is given."""

    def __init__(self, *options, data=None):
        self.kept = None if data else tempfile.TemporaryDirectory(prefix="bench-")
        self.data = data or self.kept.name
        self.connection, self.called = None, 0
        super().__init__([ROOT / "target/release/function-runner", "serve", "--port", "0", "--data", self.data, *options])

    def __enter__(self):
        super().__enter__()
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port)
        return self

    def __exit__(self, *arguments):
        if self.connection:
            self.connection.close()
        self.process.terminate()
        super().__exit__(*arguments)
        if self.kept:
            self.kept.cleanup()

    def warm(self, spares=2):
        """Waits until the interpreters that it keeps at hand have started."""
        wait_until(lambda: len(self.interpreters()) >= spares, "spare interpreters")
        time.sleep(0.2)
        return self

    def interpreters(self):
        return [pid for pid in descendants(self.process.pid) if program_of(pid).startswith(("python", "node"))]

    def sign_in(self, name="bench_1"):
        """Registers a user, or logs in as who is there; from then on requests are theirs, in a workspace of theirs."""
        self.headers = {}
        fields = {"username": name, "name": "Bench", "password": "correct horse"}
        self.call("POST", "/users/register", fields, fine=(200, 400))
        login = self.call("POST", "/users/login", fields)
        self.headers = {"Authorization": f"Bearer {login['access_token']}"}
        self.workspace = self.call("POST", "/workspaces/", {"name": f"bench {time.time_ns()}"})["id"]
        return self

    def call(self, method, path, body=None, fine=(200, 202)):
        data = None if body is None else json.dumps(body).encode()
        if time.monotonic() - self.called > 10:
            # By then the server may have hung up; the next request connects anew.
            self.connection.close()
        self.called = time.monotonic()
        self.connection.request(method, path, data, {"Content-Type": "application/json", **self.headers})
        answer = self.connection.getresponse()
        told = answer.read()
        if answer.status not in fine:
            raise SystemExit(f"{method} {path}: {answer.status} {told.decode()}")
        return json.loads(told)

    def function(self, code="Python", **fields):
        language, source = CODE[code]
        fields = {"name": f"f{time.time_ns()}", "runtime": language, "code": source, "workspace_id": self.workspace, **fields}
        return self.call("POST", "/functions/", fields)["id"]

    def invoking(self, function):
        """The load is to invoke this function."""
        self.path, self.event, self.status, self.expected = f"/functions/{function}/invoke", EVENT, 200, '"output":{"n":42}'
        return self

    def queueing(self, function):
        self.path, self.event, self.status, self.expected = f"/functions/{function}/invoke", EVENT, 202, '"pending"'
        return self

    def reading(self, function):
        self.path, self.event, self.status, self.expected = f"/functions/{function}", None, 200, f'"id":"{function}"'
        return self
