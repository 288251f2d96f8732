def handler(event):
    calls = event["calls"]
    for name, *words in (
        ("bpf", 0, 0, 0), ("perf_event_open", 0, 0, -1, -1, 0), ("userfaultfd", 1), ("io_uring_setup", 8, 0), ("io_setup", 1, 0),
        ("keyctl", 0, 0, 0, 0, 0), ("add_key", "user", "a", "b", 1, -3), ("request_key", "user", "a", "b", 0), ("memfd_create", "x", 0),
        ("memfd_secret", 0), ("shmget", 0, 4096, 0o1600), ("msgget", 0, 0o1600), ("semget", 0, 1, 0o1600), ("mq_open", "x", 0o102, 0o600, 0),
        ("kexec_load", 0, 0, 0, 0), ("init_module", 0, 0, ""), ("finit_module", 3, "", 0), ("delete_module", "x", 0),
        ("reboot", 0xFEE1DEAD, 672274793, 0, 0), ("swapon", "/tmp/x", 0), ("acct", "/tmp/x"), ("syslog", 2, 0, 0),
        ("clock_settime", 0, 0), ("sethostname", "x", 1), ("personality", 0x0040000), ("quotactl", 0, 0, 0, 0), ("fanotify_init", 0, 0),
    ):
        call(name, calls[name], *words)
    if event["x32"]:
        call("x32 getpid", 0x40000000 + calls["getpid"])
        call("x32 ptrace", 0x40000000 + 521, 0, 0, 0, 0)
    # What would undo the worker's ties to the server.
    call("prctl subreaper", calls["prctl"], 36, 0, 0, 0, 0)
    call("prctl death signal", calls["prctl"], 1, 0, 0, 0, 0)
    return through
