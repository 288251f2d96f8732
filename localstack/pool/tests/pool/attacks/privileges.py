def handler(event):
    for program in ("/usr/bin/su", "/usr/bin/sudo", "/usr/bin/passwd", "/bin/mount", "/usr/bin/newuidmap", "/usr/bin/bwrap"):
        attempt("run " + program, lambda: subprocess.run([program, "--help"], check=False))
    for name, act in {
        "setuid": lambda: os.setresuid(1, 1, 1), "setgid": lambda: os.setresgid(1, 1, 1), "setgroups": lambda: os.setgroups([1]),
        "nice": lambda: os.nice(-5), "chroot": lambda: os.chroot("/"),
    }.items():
        attempt(name, act)
    import resource

    for name in ("RLIMIT_CORE", "RLIMIT_FSIZE", "RLIMIT_NOFILE", "RLIMIT_MEMLOCK"):
        attempt("raise " + name, lambda: resource.setrlimit(getattr(resource, name), (-1, -1)))
    # No program can add to what it has (PR_GET_NO_NEW_PRIVS), and it has nothing.
    header, sets = (ctypes.c_uint * 2)(0x20080522, 0), (ctypes.c_uint * 6)()
    if libc.prctl(39, 0, 0, 0, 0) != 1 or libc.capget(header, sets) != 0 or any(sets):
        through.append("capabilities")
    return through
