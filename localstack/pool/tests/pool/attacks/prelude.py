import ctypes
import errno
import os
import signal
import subprocess
import sys
import threading
import time

libc = ctypes.CDLL(None, use_errno=True)
through = []


def attempt(name, act, *args):
    """Notes the name of what works."""
    try:
        act(*args)
    except (OSError, AttributeError, ValueError, RuntimeError):
        return
    through.append(name)


def call(name, number, *args):
    """Notes the name of a system call that is not refused outright."""
    ctypes.set_errno(0)
    words = [ctypes.c_char_p(a.encode()) if isinstance(a, str) else a if not isinstance(a, int) else ctypes.c_long(a) for a in args]
    result = libc.syscall(ctypes.c_long(number), *words)
    if result == 0 and name.startswith("clone"):
        os._exit(0)
    if result != -1 or ctypes.get_errno() not in (errno.EPERM, errno.ENOSYS, errno.EACCES):
        through.append("%s: %d %s" % (name, result, errno.errorcode.get(ctypes.get_errno())))


