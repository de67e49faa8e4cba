"""A valve in the guest's link: while it is shut, nothing comes out of it for the guest."""

import socket
import threading

CHUNK = 1 << 16


class Valve:
    """Joins a relay, which gets the descriptor `fd`, to the daemon's socket."""

    def __init__(self, lab, daemon):
        self.passes = threading.Event()
        self.passes.set()
        self.relay_end, ours = socket.socketpair()
        theirs = socket.socket(socket.AF_UNIX)
        theirs.connect(str(daemon.socket))
        lab.thread(self._carry, ours, theirs, None)
        lab.thread(self._carry, theirs, ours, self.passes)

    @property
    def fd(self):
        return self.relay_end.fileno()

    @staticmethod
    def _carry(source, drain, gate):
        while data := source.recv(CHUNK):
            if gate:
                gate.wait()
            drain.sendall(data)

    def shut(self):
        self.passes.clear()

    def open(self):
        self.passes.set()
