import socket


def connect(family, kind, address):
    s = socket.socket(family, kind)
    s.settimeout(2)
    s.connect(address)
    if kind == socket.SOCK_DGRAM:
        s.send(b"x")


def handler(event):
    inet, stream, dgram = socket.AF_INET, socket.SOCK_STREAM, socket.SOCK_DGRAM
    for name, *how in (
        ("tcp", inet, stream, ("127.0.0.1", event["tcp"])), ("any", inet, stream, ("0.0.0.0", event["tcp"])),
        ("tcp6", socket.AF_INET6, stream, ("::1", event["tcp"])), ("mapped", socket.AF_INET6, stream, ("::ffff:127.0.0.1", event["tcp"])),
        ("metadata", inet, stream, ("169.254.169.254", 80)), ("internet", inet, stream, ("1.1.1.1", 53)),
        ("dns", inet, dgram, ("1.1.1.1", 53)),
    ):
        attempt(name, connect, *how)
    attempt("resolver", socket.getaddrinfo, "example.com", 80)
    return through
