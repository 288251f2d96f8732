def handler(event):
    files = [os.__file__, sys.executable, event["paths"][-1]]
    for file in files:
        for name, act in {
            "mode": lambda: os.chmod(file, 0o777), "owner": lambda: os.chown(file, -1, -1), "times": lambda: os.utime(file),
            "attribute": lambda: os.setxattr(file, "user.a", b"x"), "unattribute": lambda: os.removexattr(file, "user.a"),
        }.items():
            attempt(name + " " + file, act)
        try:
            fd = os.open(file, os.O_RDONLY)
        except OSError:
            continue
        for name, act in {
            "mode": lambda: os.fchmod(fd, 0o777), "times": lambda: os.utime(fd), "attribute": lambda: os.setxattr(fd, "user.a", b"x"),
        }.items():
            attempt(name + " of what is open " + file, act)
        # As they are, so that nothing is harmed where this works.
        for name, get, change in (("flags", 0x80086601, 0x40086602), ("xflags", 0x801C581F, 0x401C5820)):
            flags = ctypes.create_string_buffer((0x80000).to_bytes(8, "little"), 32)
            libc.ioctl(fd, ctypes.c_ulong(get), flags)
            if libc.ioctl(fd, ctypes.c_ulong(change), flags) != -1:
                through.append(name + " " + file)
        import fcntl

        attempt("lease " + file, lambda: fcntl.fcntl(fd, 1024, 0))
    os.chdir(os.environ["TMPDIR"])
    if event["sandbox"] == "landlock":
        for name, number in {"setxattrat": 463, "removexattrat": 466, "file_setattr": 469}.items():
            call(name, number, -100, files[0], 0, "user.a", 0, 0)
    return through
