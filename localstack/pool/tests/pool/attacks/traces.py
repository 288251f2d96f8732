import fcntl
import mmap
import struct


def handler(event):
    calls = event["calls"]
    fd = os.open(os.__file__, os.O_RDONLY)
    null = os.open("/dev/null", os.O_RDWR)
    # Who reads which file of the library.
    for name, *words in (
        ("inotify_init", ), ("inotify_init1", 0), ("inotify_add_watch", 3, os.__file__, 0xFFF), ("fanotify_init", 0, 0),
        ("fanotify_mark", 3, 1, 1, 0, -100, 0), ("fcntl", fd, 1026, 1), ("fcntl", fd, 1024, 0), ("fcntl", fd, 1025, 0),
    ):
        if name in calls:
            call(name, calls[name], *words)
    for file in (fd, null):
        # Locks that others could see.
        for how in (fcntl.LOCK_EX, fcntl.LOCK_SH):
            attempt("flock", fcntl.flock, file, how | fcntl.LOCK_NB)
        for command in (36, 37, 38):
            lock = struct.pack("hhqqi", fcntl.F_RDLCK, 0, 0, 0, 0)
            attempt("open file lock %d" % command, fcntl.fcntl, file, command, lock)
    # Which pages of it are in memory, and putting them out.
    page = mmap.mmap(fd, 4096, prot=mmap.PROT_READ, flags=mmap.MAP_SHARED)
    vector = ctypes.create_string_buffer(1)
    buffer = ctypes.create_string_buffer(16)
    pieces = (ctypes.c_size_t * 2)(ctypes.addressof(buffer), 16)
    for name, *words in (
        ("mincore", 0, 4096, vector), ("preadv2", fd, pieces, 1, 0, 0, 8), ("cachestat", fd, buffer, buffer, 0), ("readahead", fd, 0, 4096),
        ("fadvise64", fd, 0, 0, 4), ("process_madvise", 0, pieces, 1, 21, 0),
    ):
        call(name, calls[name], *words)
    for advice in (12, 20, 21, 25):
        try:
            page.madvise(advice)
        except OSError as error:
            if error.errno == errno.EPERM:
                continue
        through.append("madvise %d" % advice)
    # Another's processor time, and what it is set to.
    if event["sandbox"] == "landlock":
        for pid in (event["server"], event["victim"]):
            clock = (~pid << 3) | 2
            for name, *words in (
                ("clock_gettime", clock, buffer), ("clock_getres", clock, buffer), ("clock_nanosleep", clock, 1, buffer, 0),
                ("timer_create", clock, 0, buffer), ("getpgid", pid), ("getsid", pid), ("getpriority", 0, pid), ("sched_getaffinity", pid, 8, buffer),
                ("sched_getscheduler", pid), ("sched_getparam", pid, buffer), ("sched_rr_get_interval", pid, buffer), ("ioprio_get", 1, pid),
                ("sched_getattr", pid, buffer, 48, 0), ("get_robust_list", pid, buffer, buffer),
            ):
                call(name, calls[name], *words)
    for path in ("/proc/locks", "/proc/vmstat", "/proc/interrupts", "/proc/softirqs", "/proc/pagetypeinfo", "/proc/slabinfo", "/proc/diskstats",
                 "/proc/sched_debug", "/proc/timer_list", "/proc/pressure/cpu", "/proc/sys/fs/inode-nr", "/sys/class/net"):
        attempt("read " + path, lambda: open(path, "rb").read(1))
    return through
