def handler(event):
    for pid in ("1", str(event["server"]), str(event["victim"]), "thread-self/../../1"):
        for name in ("environ", "cmdline", "maps", "mem", "stat", "fd", "root/etc", "cwd", "task", "ns/net"):
            path = "/proc/%s/%s" % (pid, name)
            attempt("read " + path, lambda: open(path, "rb").read(1) or 1 / 0)
            attempt("list " + path, lambda: os.listdir(path))
        attempt("exe " + pid, lambda: os.readlink("/proc/%s/exe" % pid))
    for path in ("/proc/kallsyms", "/proc/kcore", "/proc/kmsg", "/proc/keys", "/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger",
                 "/proc/sys/kernel/hostname", "/proc/bus/pci", "/proc/self/root/etc/hostname", "/proc/self/cwd/../etc/hostname"):
        attempt("read " + path, lambda: open(path, "rb").read(1))
        attempt("write " + path, lambda: open(path, "wb"))
    for path in ("/proc/self/oom_score_adj", "/proc/self/uid_map", "/proc/self/attr/current", "/proc/self/mem"):
        attempt("write " + path, lambda: open(path, "r+b"))
    return through
