def daemon(mark, flags):
    pid = libc.syscall(ctypes.c_long(mark["calls"]["clone"]), ctypes.c_long(flags | signal.SIGCHLD), 0, 0, 0, 0)
    if pid == 0:
        os.setsid()
        if not flags and os.fork() != 0:
            os._exit(0)
        os.execv(sys.executable, [sys.executable, "-c", "while True: pass", mark["mark"]])


def handler(event):
    libc.prctl(36, 0, 0, 0, 0)
    libc.prctl(1, 0, 0, 0, 0)
    for flags in (0, 0x8000):
        try:
            daemon(event, flags)
        except OSError:
            pass
    return through
