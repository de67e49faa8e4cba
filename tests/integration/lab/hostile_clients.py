"""Fifty clients of a control socket that mean ill, in one process: hostile_clients.py SOCKET.

Ten each: half a request; requests whose answers are not read; garbage; answers read as fast as they come;
all events wanted and none read.  Prints "begun" once all are at it, and goes on until it is ended.
"""

import selectors
import socket
import sys

NEGOTIATE = b'{"execute": "qmp_capabilities"}\n'
KINDS = (
    (b'{"execute": "query-st', b"", False),
    (NEGOTIATE, b'{"execute": "query-stats"}\n' * 50, False),
    (b"", b"\x00\xff{]}\n" * 500, True),
    (NEGOTIATE, b'{"execute": "query-schema"}\n{"execute": "query-status"}\n{"execute": "query-config"}\n' * 4, True),
    (NEGOTIATE + b'{"execute": "events-subscribe"}\n', b"", False),
)


def connect(path, kind):
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(path)
    sock.sendall(kind[0])
    sock.setblocking(False)
    return sock


def serve(path, sock, kind, ready):
    """A client that the daemon ends comes again."""
    try:
        if ready & selectors.EVENT_READ and not sock.recv(1 << 16):
            raise ConnectionError
        if ready & selectors.EVENT_WRITE:
            sock.send(kind[1])
    except BlockingIOError:
        pass
    except ConnectionError:
        sock.close()
        return connect(path, kind)
    return sock


def main(path):
    chosen = selectors.DefaultSelector()

    def add(sock, kind):
        wanted = (selectors.EVENT_WRITE if kind[1] else 0) | (selectors.EVENT_READ if kind[2] else 0)
        if wanted:
            chosen.register(sock, wanted, kind)
        return sock
    idle = [add(connect(path, kind), kind) for kind in KINDS for _ in range(10)]
    print("begun", flush=True)
    while idle:
        for key, ready in chosen.select():
            again = serve(path, key.fileobj, key.data, ready)
            if again is not key.fileobj:
                chosen.unregister(key.fileobj)
                add(again, key.data)


if __name__ == "__main__":
    main(sys.argv[1])
