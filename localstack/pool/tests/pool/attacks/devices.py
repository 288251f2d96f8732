def handler(event):
    # Under bubblewrap it has one of its own.
    own = ("shm",) if event["sandbox"] == "landlock" else ()
    for name in ("mem", "kmsg", "vda", "sda", "tty", "console", "ptmx", "pts/0", "fuse", "kvm", "net/tun", "loop-control", "mqueue", "input") + own:
        attempt("read " + name, lambda: open("/dev/" + name, "rb").read(1))
        attempt("list " + name, lambda: os.listdir("/dev/" + name))
    for kind in (0o060600, 0o020600):
        attempt("mknod %o" % kind, lambda: os.mknod(os.environ["TMPDIR"] + "/device", kind, os.makedev(1, 1)))
    for request in (0x5412, 0x541C):
        call("ioctl %x" % request, event["calls"]["ioctl"], 0, request, "x")
    return through
