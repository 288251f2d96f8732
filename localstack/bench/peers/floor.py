import json
import socket

channel = socket.socket(fileno=0)


def exactly(size):
    data = b""
    while len(data) < size:
        more = channel.recv(size - len(data))
        if not more:
            raise SystemExit
        data += more
    return data


def handler(event):
    return {"n": event["n"] + 1}


while True:
    event = json.loads(exactly(int.from_bytes(exactly(4), "little")))
    answer = json.dumps(handler(event)).encode()
    channel.sendall(len(answer).to_bytes(4, "little") + answer)
