def handler(event):
    calls, room = event["calls"], ctypes.create_string_buffer(4096)
    for pid in (event["server"], event["victim"], os.getppid(), 1):
        for request in (16, 0x4206, 1):
            call("ptrace %d" % pid, calls["ptrace"], request, pid, 0, 0)
        call("process_vm_readv", calls["process_vm_readv"], pid, ctypes.byref(room), 1, ctypes.byref(room), 1, 0)
        call("process_vm_writev", calls["process_vm_writev"], pid, ctypes.byref(room), 1, ctypes.byref(room), 1, 0)
        call("kcmp", calls["kcmp"], pid, os.getpid(), 0, 3, 3)
        attempt("mem %d" % pid, lambda: open("/proc/%d/mem" % pid, "rb"))
    call("pidfd_getfd", calls["pidfd_getfd"], 3, 0, 0)
    return through
