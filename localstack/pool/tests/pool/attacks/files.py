def handler(event):
    for path in event["paths"]:
        for name, act in {
            "read": lambda: open(path, "rb").read(1), "append": lambda: open(path, "ab"), "list": lambda: os.listdir(path),
            "unlink": lambda: os.unlink(path), "rename": lambda: os.rename(path, path + "x"), "truncate": lambda: os.truncate(path, 0),
            "symlink": lambda: os.symlink(path, path + "y"), "mkdir": lambda: os.mkdir(path + "/z"),
            "link": lambda: os.link(path, os.environ["TMPDIR"] + "/l"),
            "by way of a link": lambda: (os.symlink(path, os.environ["TMPDIR"] + "/s"), open(os.environ["TMPDIR"] + "/s", "rb").read(1)),
        }.items():
            attempt(name + " " + path, act)
            if os.path.islink(os.environ["TMPDIR"] + "/s"):
                os.unlink(os.environ["TMPDIR"] + "/s")
    library = os.path.dirname(os.__file__)
    for name, act in {
        "append to the library": lambda: open(library + "/os.py", "a"), "add to the library": lambda: open(library + "/new.py", "w"),
        "remove from the library": lambda: os.unlink(library + "/os.py"), "append to the interpreter": lambda: open(sys.executable, "a"),
        "append to the shim": lambda: open(sys.orig_argv[-1], "a"), "up and out": lambda: open(library + "/../../../../../../../../etc/hostname"),
        "packages of the machine": lambda: open(library + "/site-packages/pip/__init__.py"),
    }.items():
        attempt(name, act)
    return through
