

# ---- The pool's front: frames on file descriptors 3 and 4, printed text on 1 and 2. ------------------------------

ANSWERS, REQUESTS = 3, 4
LOAD, INVOKE, CHECK, READY, RESULT, ERROR = 1, 2, 3, 16, 17, 18
RETIRE = 1


class _Channel:
    """Frames: a length of four bytes, a kind of one, a body."""

    def __init__(self):
        self._held = b""

    def receive(self, read=os.read):
        data = self._held or read(REQUESTS, 4096) or _gone()
        while len(data) < 4:
            data += read(REQUESTS, 4096) or _gone()
        end = 4 + int.from_bytes(data[:4], "little")
        if len(data) == end:
            self._held = b""
            return data[4], data[5:]
        if len(data) < end:
            whole = bytearray(data)
            while len(whole) < end:
                whole += read(REQUESTS, min(end - len(whole), 1 << 20)) or _gone()
            data = bytes(whole)
        self._held = data[end:]
        return data[4], data[5:end]

    def send(self, kind, head, body, write=os.write):
        data = (1 + len(head) + len(body) | kind << 32).to_bytes(5, "little") + head + body
        sent = write(ANSWERS, data)
        while sent < len(data):
            data = memoryview(data)[sent:]
            sent = write(ANSWERS, data)


def _gone():
    """The server is gone."""
    os._exit(0)


def _write_out(data, out=sys.stdout, write=os.write):
    """Writes whole lines past the buffer of stdout, after what is in it."""
    try:
        out.flush()
    except Exception:
        pass
    while data:
        data = data[write(1, data):]


_err = Stream("e", 2, _write_out)
_started = False


def _keep(data, folder):
    """Writes the user's source where it is found by its name: for what opens it, and for processes that import it."""
    global PATH
    PATH = folder + "/" + FILE
    sys.path.insert(0, folder)
    try:
        file = os.open(PATH, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.write(file, data)
        os.close(file)
    except OSError:
        # The machine's disk is full. Most code does without.
        pass


def _note_processes():
    """Notes from now on that the code may have started a process. What goes round this is seen when the server looks at
    its idle workers."""

    def note():
        global _started
        _started = True

    os.register_at_fork(before=note)
    for module in (os, sys.modules["posix"]):
        _noting(module, ("system", "posix_spawn", "posix_spawnp"), note)


def _left_processes(waitid=getattr(os, "waitid", None), modules=sys.modules):
    """RETIRE if a process that the handler started still is there. These modules start them without its being noted."""
    if waitid is None or not (
        _started or "_posixsubprocess" in modules or "_ctypes" in modules
        or "_xxsubinterpreters" in modules or "_interpreters" in modules
    ):
        return 0
    try:
        waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        return RETIRE
    except ChildProcessError:
        return 0


def _serve():
    import gc
    import warnings
    from time import tzset

    global _source, _memory_mb

    channel, context = _Channel(), Context()
    # Somebody waits for it, who can send what to do meanwhile. If not, there is time to load what most code needs, to
    # have the compiler set itself up, and to clean up.
    awaited = sys._xoptions.pop("awaited", False)
    if awaited:
        channel.send(READY, b"", b"")
    loads = _use_core_of_json()
    if not awaited:
        import json

        compile("", FILE, "exec")
        gc.collect()
    out = sys.stdout
    out.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
    sys.stderr = sys.__stderr__ = err = _err
    warnings.showwarning = show_warning
    if hasattr(sys, "set_int_max_str_digits"):
        # Integers of an event stay exact, however long.
        sys.set_int_max_str_digits(0)
    folder = sys.argv[1]
    sys.argv = [FILE]
    _add_builtins()
    source, name, handler = "", "handler", None
    pid, getpid, integer = os.getpid(), os.getpid, int.from_bytes
    _note_processes()
    _note_alarms()
    gc.freeze()
    if not awaited:
        channel.send(READY, b"", b"")
    while True:
        kind, body = channel.receive()
        if kind == LOAD:
            # Run right before the first call, so that its time and what it prints are that run's.
            end = 4 + integer(body[:4], "little")
            head = loads(body[4:end])
            source = body[end:]
            _keep(source, folder)
            _source = source = source.decode()
            name = head["handler"]
            os.environ.update(head["environment"])
            if "TZ" in head["environment"]:
                tzset()
            context.function_id = head["function_id"]
            context.function_name = head["function_name"]
            context.version = head["version"]
            _memory_mb = context.memory_mb = head["memory_mb"]
            continue
        nonce = body[:8]
        if kind == CHECK:
            channel.send(RESULT, nonce + bytes(9), check(body[8:].decode()).encode())
            continue
        context = _copy(context)
        context.job_id = integer(body[8:16], "little")
        context.attempt = integer(body[16:20], "little")
        context._began = monotonic()
        context._deadline = context._began + integer(body[20:24], "little") / 1000
        _begin(context.job_id)
        flags = 0
        started = perf_counter_ns()
        try:
            if handler is None:
                handler = load(source, name)
                started = perf_counter_ns()
            result = call(handler, loads(body[24:]), context)
            took = perf_counter_ns() - started
            kind, answer = RESULT, encode(result)
        except BaseException as error:
            took = perf_counter_ns() - started
            kind, answer = ERROR, describe(error, source, context.memory_mb).encode("utf-8", "backslashreplace")
            if handler is None or isinstance(error, MemoryError):
                flags = RETIRE
            error = None
        if getpid() != pid:
            # A child that the handler forked and forgot: the answer is its parent's to give.
            os._exit(0)
        result = body = None
        try:
            out.flush()
            err.flush()
            if sys.stderr is not err:
                sys.stderr.flush()
        except Exception:
            pass
        _end()
        flags |= _left_processes()
        channel.send(kind, nonce + (flags | took // 1000 << 8).to_bytes(9, "little"), answer)
        answer = None


def _copy(context):
    """A context of its own for every run: the user may keep or change what they were given."""
    new = Context()
    new.function_id = context.function_id
    new.function_name = context.function_name
    new.version = context.version
    new.memory_mb = context.memory_mb
    return new


# Not what a process that `multiprocessing` spawns is to run first.
globals().pop("__file__", None)
_serve()
