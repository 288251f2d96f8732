

# ---- AWS Lambda's front: the event carries the user's event and context, the answer is the envelope. -------------

LOGS_LIMIT = 256 * 1024
# Bytes of a result beyond which it is packed: Lambda carries 6 MB, and JSON in JSON grows.
PACKED = 1024 * 1024
LEVELS = {"d": "debug", "i": "info", "w": "warn", "e": "error"}


class _Log:
    """Keeps a run's lines for the envelope, and passes them on to CloudWatch. What is printed between two runs is the
    later one's."""

    def __init__(self):
        self._pass_on = sys.stdout
        self._amid = False
        self.reset()

    def reset(self):
        self.lines, self._room = [], LOGS_LIMIT

    def write(self, data):
        text, plain = data.decode("utf-8", "replace"), []
        for line in text.split("\n")[: -1 if text.endswith("\n") else None]:
            level = "i"
            if line.startswith(MARK):
                level, line, self._amid = line[2:3], line[3:], False
            plain.append(line)
            if self._room > 0:
                self._room -= len(line.encode()) + 1
                if self._amid and self.lines:
                    self.lines[-1]["t"] += line
                else:
                    self.lines.append({"l": LEVELS.get(level, "info"), "t": line})
            self._amid = False
        self._amid = not text.endswith("\n")
        try:
            self._pass_on.write("\n".join(plain) + "\n")
            self._pass_on.flush()
        except Exception:
            pass


def _write_err(data):
    """After what stdout holds back."""
    _out.flush()
    _log.write(data)


_log = _Log()
_out = sys.stdout = sys.__stdout__ = Stream("i", 1, _log.write)
_err = sys.stderr = sys.__stderr__ = Stream("e", 2, _write_err)
import base64
import warnings
import zlib

warnings.showwarning = show_warning
_use_json()
if hasattr(sys, "set_int_max_str_digits"):
    sys.set_int_max_str_digits(0)
_add_builtins()
_note_alarms()
_handler, _cold = None, True


PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), FILE)


def _read():
    with open(PATH, encoding="utf-8") as file:
        return file.read()


def _load(name):
    global _source, _handler
    _source = _read()
    _handler = load(_source, name)


def lambda_handler(request, aws):
    global _cold, _memory_mb
    if request.get("check") is True:
        return {"compiled": check(_read())}
    told = request["context"]
    context = Context()
    for name in ("function_id", "function_name", "version", "job_id", "attempt", "memory_mb"):
        setattr(context, name, told[name])
    context._began = monotonic()
    context._deadline = context._began + aws.get_remaining_time_in_millis() / 1000
    _memory_mb = context.memory_mb
    envelope = {"output": None, "error": None, "cold_start": _cold}
    _cold = False
    _begin(context.job_id)
    started = perf_counter_ns()
    try:
        if _handler is None:
            _load(request.get("handler", "handler"))
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
    for stream in (_out, _err, sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            pass
    _end()
    envelope["duration_ms"] = took / 1e6
    envelope["logs"] = _log.lines
    _log.reset()
    return envelope
