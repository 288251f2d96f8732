def handler(event):
    seen = {**os.environ}
    for path in ("/proc/self/environ", "/proc/1/environ", "/proc/%d/environ" % os.getppid(), "/proc/%d/environ" % event["server"]):
        try:
            seen[path] = open(path).read()
        except OSError:
            pass
    through.extend(name for name, value in seen.items() if event["outside"] in value)
    return through + sorted(set(os.environ) - {"PATH", "LANG", "TZ", "HOME", "TMPDIR", "PWD", "LC_CTYPE"})
