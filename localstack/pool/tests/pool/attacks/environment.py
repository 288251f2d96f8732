def handler(event):
    seen = {**os.environ}
    for path in ("/proc/self/environ", "/proc/1/environ", "/proc/%d/environ" % os.getppid(), "/proc/%d/environ" % event["server"]):
        try:
            seen.update((path + " " + line.partition("=")[0], "") for line in open(path).read().split("\0"))
        except OSError:
            pass
    return [name for name in seen if name.split(" ")[-1] in event["outside"]]
