def handler(event):
    calls = event["calls"]
    for flag in (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000, 0x80):
        call("unshare %x" % flag, calls["unshare"], flag)
        call("clone %x" % flag, calls["clone"], flag | signal.SIGCHLD, 0, 0, 0, 0)
    call("clone3", calls["clone3"], ctypes.create_string_buffer(88), 88)
    for name, *words in (
        ("mount", "tmpfs", "/tmp", "tmpfs", 0, 0), ("umount2", "/tmp", 2), ("chroot", "/tmp"), ("pivot_root", "/tmp", "/tmp"),
        ("setns", 3, 0), ("open_tree", -100, "/", 1), ("fsopen", "tmpfs", 0), ("move_mount", 3, "", 3, "", 0),
        ("open_by_handle_at", -100, "xxxxxxxxxxxx", 0),
    ):
        call(name, calls[name], *words)
    for name, number in {"statmount": 457, "listmount": 458, "open_tree_attr": 467}.items():
        call(name, number, 0, 0, 0, 0)
    attempt("hostname", lambda: open("/proc/sys/kernel/hostname", "w"))
    return through
