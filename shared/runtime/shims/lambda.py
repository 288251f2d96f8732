

# ---- AWS Lambda's front: the event carries the user's event and context, the answer is the envelope. -------------

LOGS_LIMIT = 256 * 1024
# Bytes of a result beyond which it is packed: Lambda carries 6 MB, and JSON in JSON grows.
PACKED = 1024 * 1024
LEVELS = {"d": "debug", "i": "info", "w": "warn", "e": "error"}


class _Log:
    """Keeps a run's lines for the envelope, and passes them on to CloudWatch."""

    def __init__(self):
        self._pass_on = sys.stdout
        self.reset()

    def reset(self):
        self.lines, self._room = [], LOGS_LIMIT

    def write(self, text):
        plain = []
        for line in text.split("\n")[: -1 if text.endswith("\n") else None]:
            level = "i"
            if line.startswith(MARK):
                level, line = line[2:3], line[3:]
            plain.append(line)
            if self._room > 0:
                self._room -= len(line.encode("utf-8", "backslashreplace")) + 1
                self.lines.append({"l": LEVELS.get(level, "info"), "t": line.encode("utf-8", "replace").decode()})
        try:
            self._pass_on.write("\n".join(plain) + "\n")
            self._pass_on.flush()
        except Exception:
            pass


_log = _Log()
sys.stdout = Stream("i", 1, _log.write)
sys.stderr = Stream("e", 2, _log.write)
import base64
import warnings
import zlib

warnings.showwarning = show_warning
_use_json()
if hasattr(sys, "set_int_max_str_digits"):
    sys.set_int_max_str_digits(0)
_source, _handler, _cold = "", None, True


def _load():
    global _source, _handler
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), FILE), encoding="utf-8-sig") as file:
        _source = file.read()
    _handler = load(_source)


def lambda_handler(request, aws):
    global _cold
    told = request["context"]
    context = Context()
    for name in ("function_id", "function_name", "version", "job_id", "attempt", "memory_mb"):
        setattr(context, name, told[name])
    context._deadline = monotonic() + aws.get_remaining_time_in_millis() / 1000
    envelope = {"output": None, "error": None, "cold_start": _cold}
    _cold = False
    _log.reset()
    started = perf_counter_ns()
    try:
        if _handler is None:
            _load()
            started = perf_counter_ns()
        result = call(_handler, request["event"], context)
        took = perf_counter_ns() - started
        data = encode(result)
        if len(data) > PACKED:
            envelope["packed"] = base64.b64encode(zlib.compress(data, 1)).decode()
        else:
            envelope["output"] = data.decode()
    except BaseException as error:
        took = perf_counter_ns() - started
        envelope["error"] = describe(error, _source, context.memory_mb)
    sys.stdout.flush()
    sys.stderr.flush()
    envelope["duration_ms"] = took / 1e6
    envelope["logs"] = _log.lines
    return envelope
