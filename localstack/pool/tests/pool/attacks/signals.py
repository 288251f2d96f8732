def handler(event):
    calls, me = event["calls"], os.getpid()
    # Under bubblewrap the parent, and the group, are of its own namespace.
    above = (os.getppid(), 0) if event["sandbox"] == "landlock" else ()
    for pid in (event["server"], event["victim"], -event["server"], *above):
        for number in (0, signal.SIGSTOP, signal.SIGTERM, signal.SIGKILL):
            attempt("kill %d %d" % (pid, number), os.kill, pid, number)
        attempt("priority %d" % pid, lambda: os.setpriority(os.PRIO_PROCESS, pid, 19) if pid > 0 else os.kill(event["server"], 0))
    # Where there is nobody else to be seen, this says so or does nothing.
    try:
        os.kill(-1, signal.SIGSTOP)
    except OSError:
        pass
    if event["sandbox"] == "landlock":
        for pid in (event["server"], event["victim"]):
            for name, *words in (
                ("tkill", pid, 0), ("tgkill", pid, pid, 0), ("rt_sigqueueinfo", pid, 0, 0), ("pidfd_open", pid, 0),
                ("prlimit64", pid, 7, 0, 0), ("ioprio_set", 1, pid, 0), ("setpgid", 0, pid), ("sched_setaffinity", pid, 0, 0),
                ("fcntl", 3, 8, pid),
            ):
                call(name, calls[name], *words)
    return through
