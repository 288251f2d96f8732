import mmap


def eat():
    kept = []
    while True:
        # Shared, and so no part of what RLIMIT_DATA counts.
        kept.append(mmap.mmap(-1, 1 << 24))
        for at in range(0, 1 << 24, 4096):
            kept[-1][at] = 1


def handler(event):
    threading.Thread(target=eat).start()
    # The first thread ends, and with it what the kernel says of the process as a whole.
    libc.syscall(ctypes.c_long(event["calls"]["exit"]), ctypes.c_long(0))
