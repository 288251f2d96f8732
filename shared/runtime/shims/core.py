"""What wraps a user's Python code in both homes: loads it, calls its handler, says what came of it.

Its streams (streams.py) and one of two fronts follow this text in the same file: the pool's (pool.py) or AWS Lambda's (lambda.py).
"""

import os
import sys
from time import monotonic, perf_counter_ns

FILE = "main.py"
OUTPUT_LIMIT = 6 * 1024 * 1024
ERROR_LIMIT = 64 * 1024
# What begins a line that is more, or less, than information: this, and one of d, w, e.
MARK = "\x1e\x1f"

_HERE = sys._getframe().f_code.co_filename
_loop = _encode = None


def _encoder_of_json():
    import json

    return json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def _use_json():
    """Encodes from now on by the module of that name. Returns what decodes."""
    import json

    global _encode
    _encode = _encoder_of_json()
    return json.loads


def _use_core_of_json():
    """The same by what that module calls, in a fifth of the time, and without loading `re` and more, which takes 5 ms."""
    global _encode

    class Usual:
        strict, object_hook, object_pairs_hook = True, None, None
        parse_float, parse_int, parse_constant = float, int, None

    def refuse(value):
        raise TypeError("Object of type %s is not JSON serializable" % type(value).__name__)

    try:
        from _json import encode_basestring, make_encoder, make_scanner

        scan = make_scanner(Usual)
        # It keeps no book of what it is inside of: a result that contains itself is nested too deeply.
        pieces = make_encoder(None, refuse, encode_basestring, None, ":", ",", False, False, False)
        assert (scan("[1.5]", 0), "".join(pieces([None], 0))) == (([1.5], 5), "[null]")
    except Exception:
        return _use_json()
    _encode = lambda result: "".join(pieces(result, 0))
    return lambda data: scan(data.decode().strip(), 0)[0]


class RunError(Exception):
    """The run failed for a reason that is told without a traceback."""


class Context:
    """What a handler is told about its run."""

    __slots__ = ("function_id", "function_name", "version", "job_id", "attempt", "memory_mb", "_deadline")

    def remaining_time_ms(self):
        """Milliseconds until the run is stopped."""
        return max(0, int((self._deadline - monotonic()) * 1000))


class _Loader:
    """Lets tracebacks, `inspect` and `logging.exception` find the source, which is in no file."""

    def __init__(self, source):
        self.source = source

    def get_source(self, _name):
        return self.source


def load(source):
    """Runs the user's module and returns its handler as `call(event, context)`."""
    loader = _Loader(source)
    module = type(sys)("main")
    module.__file__ = FILE
    module.__loader__ = loader
    if sys.__spec__ is not None:
        module.__spec__ = type(sys.__spec__)("main", loader, origin=FILE)
    sys.modules["main"] = module
    if "logging" in source:
        _set_up_logging()
    exec(compile(source, FILE, "exec", dont_inherit=True), module.__dict__)
    if "logging" in sys.modules:
        _set_up_logging()
    handler = module.__dict__.get("handler")
    if handler is None:
        raise RunError("main.py has no handler. Define one: def handler(event): ...")
    if not callable(handler):
        raise RunError("handler in main.py is %s, not a function" % _article(handler))
    if _takes_context(handler):
        return handler
    return lambda event, _context: handler(event)


def _takes_context(handler):
    """Whether it takes a second argument by position. What can't be told is taken to."""
    for _ in range(100):
        if not hasattr(handler, "__wrapped__"):
            break
        handler = handler.__wrapped__
    code = getattr(handler, "__code__", None)
    if code is not None and not hasattr(handler, "__self__"):
        return code.co_argcount >= 2 or bool(code.co_flags & 0x04)
    try:
        import inspect

        inspect.signature(handler).bind(None, None)
    except TypeError:
        return False
    except Exception:
        pass
    return True


def call(handler, event, context):
    """The handler's result, awaited if it is awaitable."""
    result = handler(event, context)
    if hasattr(type(result), "__await__"):
        result = _await(result)
    return result


def _await(awaitable):
    import asyncio

    global _loop
    if _loop is None or _loop.is_closed():
        _loop = asyncio.new_event_loop()
    asyncio.set_event_loop(_loop)

    async def wait():
        return await awaitable

    try:
        return _loop.run_until_complete(wait())
    finally:
        # What the handler left running would otherwise go on inside the next run.
        left = asyncio.all_tasks(_loop)
        for task in left:
            task.cancel()
        if left:
            _loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))


def encode(result):
    """The result as JSON, in UTF-8."""
    try:
        data = _encode(result).encode()
    except MemoryError:
        raise
    except Exception:
        data = _encode_or_say(result)
    if len(data) > OUTPUT_LIMIT:
        raise RunError(
            "The handler's result is too large: %s bytes of JSON, and %s are the most. Return less, or return it in parts."
            % (format(len(data), ","), format(OUTPUT_LIMIT, ","))
        )
    return data


def _encode_or_say(result):
    """The same by the module `json`, as users may have changed it; or why it can't be."""
    try:
        return _encoder_of_json()(result).encode()
    except MemoryError:
        raise
    except RecursionError:
        raise RunError("The handler's result can't be JSON: it is nested too deeply. Return something flatter.") from None
    except UnicodeEncodeError as error:
        raise RunError(
            "The handler's result can't be JSON: a string in it holds half of a surrogate pair (%s). "
            "Decode or clean the text before you return it." % error.reason
        ) from None
    except Exception as error:
        raise RunError(_why_not_json(result, error)) from None


def _why_not_json(result, error):
    path, value = _find_culprit(result)
    at = " (at %s)" % path if path else ""
    if isinstance(value, float):
        return "The handler's result can't be JSON: it holds %s%s, which JSON has no word for. Return None or a string instead." % (
            repr(value), at)
    if isinstance(error, ValueError) and "Circular" in str(error):
        return "The handler's result can't be JSON: it contains itself (a circular reference)%s. Return a copy without the cycle." % at
    if value is not None:
        hint = {
            "set": "a list", "frozenset": "a list", "datetime": "value.isoformat()", "date": "value.isoformat()",
            "Decimal": "str(value) or float(value)", "bytes": "value.decode() or base64", "UUID": "str(value)",
            "generator": "list(value)", "coroutine": "the awaited value",
        }.get(type(value).__name__, "a dict, list, str, number, bool or None")
        what = "a key that is" if path.endswith("<key>") else "a value that is"
        return "The handler's result can't be JSON: it holds %s %s%s. Return %s instead." % (what, _article(value), at, hint)
    return "The handler's result can't be JSON: %s" % error


def _article(value):
    name = type(value).__name__
    return ("an " if name[:1] in "aeiouAEIOU" else "a ") + name


def _find_culprit(result):
    """Where the first value lies that JSON can't carry, and that value. ('', None) if that can't be told."""
    stack, inside, seen = [("result", result, False)], set(), 0
    while stack and seen < 1_000_000:
        seen += 1
        path, value, leave = stack.pop()
        if leave:
            inside.discard(id(value))
            continue
        if value is None or isinstance(value, (str, int)):
            continue
        if isinstance(value, float):
            if value != value or value in (float("inf"), float("-inf")):
                return path, value
            continue
        if not isinstance(value, (dict, list, tuple)):
            return path, value
        if id(value) in inside:
            return path, None
        inside.add(id(value))
        stack.append((path, value, True))
        if isinstance(value, dict):
            for key, item in value.items():
                if not (key is None or isinstance(key, (str, int, float))):
                    return path + ".<key>", key
                stack.append(("%s.%s" % (path, key), item, False))
        else:
            stack.extend(("%s[%d]" % (path, i), item, False) for i, item in enumerate(value))
    return "", None


def describe(error, source, memory_mb):
    """An error's text: its type and message, then the user's own traceback."""
    if isinstance(error, RunError):
        return str(error)
    try:
        return _describe(error, source, memory_mb)[:ERROR_LIMIT]
    except BaseException as again:
        return "%s (its traceback can't be shown: %s)" % (type(error).__name__, type(again).__name__)


def _describe(error, source, memory_mb):
    import linecache
    import traceback

    linecache.cache[FILE] = (len(source), None, source.splitlines(True), FILE)
    report = traceback.TracebackException(type(error), error, error.__traceback__)
    single = _strip(report, set())
    only = "".join(report.format_exception_only())
    whole = "".join(report.format())
    if single:
        whole = whole[: -len(only)] if whole.endswith(only) else whole
        if whole == "Traceback (most recent call last):\n":
            whole = ""
    head = only.rstrip("\n")
    if isinstance(error, MemoryError):
        head += "\nOut of memory: the function may use %d MB. Use less, or raise memory_mb." % memory_mb
    elif isinstance(error, SystemExit):
        head += "\nThe handler ended the process instead of returning. Return a value, or raise an error."
    return (head + "\n" + whole).rstrip("\n")


def _strip(report, seen):
    """Takes our own frames out of a report and of all it is chained to. Whether there is nothing chained to it."""
    if report is None or id(report) in seen:
        return True
    seen.add(id(report))
    frames = report.stack or []
    first = next((i for i, frame in enumerate(frames) if frame.filename == FILE), None)
    if first is not None:
        del frames[:first]
    for i in reversed(range(len(frames))):
        frame = frames[i]
        frame.line  # read the line before the name that it is found by changes
        if frame.filename == _HERE:
            del frames[i]
        elif frame.filename.startswith(_LIBRARY):
            frame.filename = "python" + frame.filename[len(_LIBRARY):]
    chained = [report.__cause__, None if report.__suppress_context__ else report.__context__]
    chained += getattr(report, "exceptions", None) or []
    for other in chained:
        _strip(other, seen)
    return all(other is None for other in chained)


# The folder of the standard library: where it lies on this machine is not the user's affair.
_LIBRARY = os.path.dirname(os.__file__)
