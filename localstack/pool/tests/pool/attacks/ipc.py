

def handler(event):
    calls, ids = event["calls"], event["ipc"]
    buffer = ctypes.create_string_buffer(4096)
    for name, *words in (
        ("msgrcv", ids["message"], buffer, 1024, 0, 0o4000), ("msgctl", ids["message"], 2, buffer), ("msgsnd", ids["message"], buffer, 0, 0o4000),
        ("semctl", ids["semaphore"], 0, 12, 0), ("semop", ids["semaphore"], buffer, 1), ("semtimedop", ids["semaphore"], buffer, 1, 0),
        ("shmat", ids["memory"], 0, 0), ("shmctl", ids["memory"], 2, buffer), ("shmdt", 0), ("mq_open", event["mark"], 2, 0o600, 0),
        ("mq_unlink", event["mark"]), ("mq_timedsend", 3, "x", 1, 0, 0), ("mq_timedreceive", 3, buffer, 1, 0, 0), ("mq_notify", 3, 0),
        ("mq_getsetattr", 3, 0, 0), ("msgctl", ids["message"], 0, 0), ("semctl", ids["semaphore"], 0, 0, 0), ("shmctl", ids["memory"], 0, 0),
    ):
        call(name, calls[name], *words)
    for path in ("/proc/sysvipc/msg", "/proc/sysvipc/shm", "/proc/sysvipc/sem", "/dev/mqueue", "/dev/mqueue/" + event["mark"]):
        attempt("read " + path, lambda: open(path, "rb").read(1))
        attempt("list " + path, lambda: os.listdir(path))
        attempt("unlink " + path, lambda: os.unlink(path))
    attempt("another's memory", lambda: open("/dev/shm/" + event["mark"], "rb").read(1))
    return through
