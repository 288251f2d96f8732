import socket


def connect(name, kind=socket.SOCK_STREAM):
    s = socket.socket(socket.AF_UNIX, kind)
    s.connect(name)


def handler(event):
    unix, dgram = socket.AF_UNIX, socket.SOCK_DGRAM
    for name, act in {
        "path": lambda: connect(event["unix"]), "abstract": lambda: connect("\0" + event["abstract"]),
        "journal": lambda: connect("/run/systemd/journal/socket", dgram), "bus": lambda: connect("/run/dbus/system_bus_socket"),
        "docker": lambda: connect("/var/run/docker.sock"), "log": lambda: connect("/dev/log", dgram),
        "a pair, elsewhere": lambda: socket.socketpair(unix, dgram)[0].sendto(b"x", "\0" + event["abstract"]),
        "a pair, connected": lambda: socket.socketpair()[0].connect("\0" + event["abstract"]),
        "the worker's own": lambda: socket.socket(fileno=os.dup(3)).connect("\0" + event["abstract"]),
    }.items():
        attempt(name, act)
    return through
