

# ---- What a run leaves behind: it fails no other run, and what it says there says where it comes from. --------------

from _thread import _count as _threads

_left = []
_source, _memory_mb = "", 0
_has_alarms = False


def _stray(job, what):
    text = "Left over from an earlier run%s: %s\n" % ("" if job is None else " (job %s)" % job, what)
    if _job is None:
        # Nobody listens: the next run tells it.
        del _left[100:]
        _left.append(text)
    else:
        _write_level("e", text)


def _begin(job):
    global _job
    _job = job
    while _left:
        _write_level("e", _left.pop(0))


def _end():
    """Takes note of what goes on after the run: threads, and alarms, which would go off in another."""
    global _job, _has_alarms
    if _threads() > 0:
        _note_threads()
    if _has_alarms:
        import signal

        _has_alarms = False
        for timer in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
            signal.setitimer(timer, 0)
    _job = None


def _noting(module, names, note):
    """Has `note` called before each of these functions. Asking the kernel after every run what they did would cost more
    than most runs."""

    def noting(call):
        def noted(*args, **kwargs):
            note()
            return call(*args, **kwargs)

        return noted

    for name in names:
        if hasattr(module, name):
            setattr(module, name, noting(getattr(module, name)))


def _note_alarms():
    import _signal

    def note():
        global _has_alarms
        _has_alarms = True

    _noting(_signal, ("alarm", "setitimer"), note)


def _note_threads():
    threading = sys.modules.get("threading")
    if threading is None:
        return
    for thread in threading.enumerate():
        if thread is not threading.main_thread() and not hasattr(thread, "_of_job"):
            thread._of_job = _job
    hook = threading.excepthook
    if hasattr(hook, "_usual"):
        return

    def failed(args):
        job = getattr(args.thread, "_of_job", _job)
        if job == _job or args.exc_type is SystemExit:
            return hook(args)
        what = "the thread %s failed: %s" % (args.thread.name, describe(args.exc_value, _source, _memory_mb))
        _stray(job, what)

    failed._usual = hook
    threading.excepthook = failed


def _told_by_loop(loop, context):
    """asyncio has caught what nobody else did, of this run or of an earlier one."""
    about = context.get("handle") or context.get("future") or context.get("task")
    origin = getattr(about, "_context", None) or (about.get_context() if hasattr(about, "get_context") else None)
    job = None if origin is None else origin.get(_job_of_task)
    error = context.get("exception")
    if job is None or job == _job or error is None:
        return loop.default_exception_handler(context)
    _stray(job, "%s: %s" % (context.get("message", "a task failed"), describe(error, _source, _memory_mb)))
