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
    # No setuid program can add to what it has, and it has nothing. PR_GET_NO_NEW_PRIVS, PR_CAPBSET_READ.
    if libc.prctl(39, 0, 0, 0, 0) != 1 or any(libc.prctl(23, n, 0, 0, 0) == 1 for n in range(41)):
        through.append("capabilities")
    return through
