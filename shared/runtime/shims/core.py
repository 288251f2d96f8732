"""What wraps a user's Python code in both homes: loads it, calls its handler, says what came of it.

This text is the first of one file: what may be returned (result.py), its streams (streams.py), what a run leaves behind
(left.py), and one of two fronts follow, the pool's (pool.py) or AWS Lambda's (lambda.py).
"""

import os
import sys
from _collections_abc import Mapping
from time import monotonic, perf_counter_ns

FILE = "main.py"
# Where the user's file lies, if that is known: tracebacks show its name alone.
PATH = FILE
OUTPUT_LIMIT = 6 * 1024 * 1024
ERROR_LIMIT = 64 * 1024
# What begins a line that is more, or less, than information: this, and one of d, w, e.
MARK = "\x1e\x1f"

_HERE = sys._getframe().f_code.co_filename
_loop = None
# The number of the job under way; None between runs.
_job = None


class RunError(Exception):
    """The run failed for a reason that is told without a traceback."""


class Context(Mapping):
    """What a handler is told about its run. Lambda's names for the same are read from it too, and as a mapping all of it."""

    __slots__ = (
        "function_id", "function_name", "version", "job_id", "attempt", "memory_mb", "_began", "_deadline", "_timestamp",
        "__dict__", "__weakref__",
    )
    _NAMES = (
        "function_id", "function_name", "version", "job_id", "attempt", "memory_mb", "timestamp",
        "aws_request_id", "function_version", "memory_limit_in_mb", "invoked_function_arn", "log_group_name", "log_stream_name",
    )
    # What only callers with an identity at AWS have.
    client_context = identity = None

    def remaining_time_ms(self):
        """Milliseconds until the run is stopped."""
        return max(0, int((self._deadline - monotonic()) * 1000))

    get_remaining_time_in_millis = remaining_time_ms

    @property
    def timestamp(self):
        """When the run began."""
        try:
            return self._timestamp
        except AttributeError:
            from time import gmtime, strftime, time

        began = time() - (monotonic() - self._began)
        self._timestamp = strftime("%Y-%m-%dT%H:%M:%S", gmtime(began)) + ".%03dZ" % (began % 1 * 1000)
        return self._timestamp

    aws_request_id = property(lambda self: str(self.job_id))
    function_version = property(lambda self: str(self.version))
    memory_limit_in_mb = property(lambda self: str(self.memory_mb))
    invoked_function_arn = property(lambda self: "arn:aws:lambda:::function:%s" % self.function_id)
    log_group_name = property(lambda self: "/functions/%s" % self.function_id)
    log_stream_name = property(lambda self: "/jobs/%s" % self.job_id)

    def __getitem__(self, name):
        if name in self._NAMES:
            return getattr(self, name)
        raise KeyError(name)

    def __iter__(self):
        return iter(self._NAMES)

    def __len__(self):
        return len(self._NAMES)

    # Each is one of its kind, as on Lambda.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __repr__(self):
        return "Context(%s)" % ", ".join("%s=%r" % item for item in self.items())


def _add_builtins():
    """Gives user code what the module `site`, which may not be loaded, adds to the builtins."""
    import builtins

    if hasattr(builtins, "exit"):
        return
    import _sitebuiltins

    class Quitter(_sitebuiltins.Quitter):
        def __call__(self, code=None):
            # Without closing stdin, which the next run may read.
            raise SystemExit(code)

    builtins.exit, builtins.quit = Quitter("exit", "Ctrl-D"), Quitter("quit", "Ctrl-D")
    builtins.copyright = _sitebuiltins._Printer("copyright", sys.copyright)
    builtins.credits = _sitebuiltins._Printer("credits", "See www.python.org for more information.")
    builtins.license = _sitebuiltins._Printer("license", "See https://www.python.org/psf/license/")
    builtins.help = _sitebuiltins._Helper()


class _Loader:
    """Lets tracebacks, `inspect` and `logging.exception` find the source by its name alone."""

    def __init__(self, source):
        self.source = source

    def get_source(self, _name):
        return self.source


def load(source, name="handler"):
    """Runs the user's module and returns its handler, which is called `name` there, as `call(event, context)`."""
    loader = _Loader(source)
    module = type(sys)("main")
    module.__file__ = PATH
    module.__loader__ = loader
    if sys.__spec__ is not None:
        module.__spec__ = type(sys.__spec__)("main", loader, origin=PATH)
    sys.modules["main"] = module
    if "logging" in source:
        _set_up_logging()
    exec(compile(source, FILE, "exec", dont_inherit=True), module.__dict__)
    if "logging" in sys.modules:
        _set_up_logging()
    handler = module.__dict__.get(name)
    if handler is None:
        raise RunError("main.py has no %s. Define one: def %s(event): ..." % (name, name))
    if not callable(handler):
        raise RunError("%s in main.py is %s, not a function" % (name, _article(handler)))
    return _caller(handler)


def _caller(handler):
    """The handler as `call(event, context)`."""
    takes = _takes_context(handler)
    if takes == "context":
        return lambda event, context: handler(event, context=context)
    if takes:
        return handler
    return lambda event, _context: handler(event)


def _takes_context(handler):
    """Whether it takes a second argument by position, or only by the name "context". What it may wrap counts where it
    takes whatever it is given. What can't be told is taken to."""
    given, named, partial = 0, set(), getattr(sys.modules.get("functools"), "partial", ())
    for _ in range(100):
        kind = type(handler)
        if isinstance(handler, _Method):
            given += 1
            handler = handler.__func__
        elif isinstance(handler, staticmethod):
            handler = handler.__func__
        elif partial and isinstance(handler, partial):
            given += len(handler.args)
            named.update(handler.keywords)
            handler = handler.func
        elif isinstance(handler, _Function):
            code = handler.__code__
            names = code.co_varnames[given:code.co_argcount]
            # After one that was given by name, none can be given by position.
            free = next((i for i, name in enumerate(names) if name in named), len(names))
            if free >= 2:
                return True
            if not code.co_flags & 0x04:
                only_named = code.co_varnames[code.co_argcount:code.co_argcount + code.co_kwonlyargcount]
                return "context" if "context" in only_named and "context" not in named else False
            if hasattr(handler, "__signature__"):
                break
            if not hasattr(handler, "__wrapped__"):
                return True
            handler = handler.__wrapped__
        elif isinstance(getattr(kind, "__call__", None), _Function) and not isinstance(handler, type):
            given += 1
            handler = kind.__call__
        elif hasattr(handler, "__wrapped__"):
            handler = handler.__wrapped__
        else:
            break
    try:
        import inspect

        inspect.signature(handler).bind(*[None] * (given + 2))
    except TypeError:
        return False
    except Exception:
        pass
    return True


_Function = type(_takes_context)
_Method = type(_Loader("").get_source)


def call(handler, event, context):
    """The handler's result, awaited if it is awaitable."""
    result = handler(event, context)
    if hasattr(type(result), "__await__"):
        result = _await(result)
    return result


def _await(awaitable):
    import asyncio

    global _loop, _job_of_task
    if _loop is None or _loop.is_closed():
        from contextvars import ContextVar

        _job_of_task = ContextVar("job", default=None)
        _loop = asyncio.new_event_loop()
        _loop.set_exception_handler(_told_by_loop)
    asyncio.set_event_loop(_loop)

    async def wait():
        # What it starts inherits this.
        _job_of_task.set(_job)
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
