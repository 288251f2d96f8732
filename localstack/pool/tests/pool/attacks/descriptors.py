def handler(event):
    import stat

    for fd in range(1024):
        try:
            kind = stat.S_IFMT(os.fstat(fd).st_mode)
        except OSError:
            continue
        if {0: stat.S_IFCHR, 1: stat.S_IFIFO, 2: stat.S_IFIFO, 3: stat.S_IFIFO, 4: stat.S_IFIFO}.get(fd) != kind:
            through.append([fd, kind])
    attempt("write to stdin", lambda: os.write(0, b"x"))
    return through
