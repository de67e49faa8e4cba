"""Bulk data on many connections, moved by one thread."""

import hashlib
import select
import socket
import threading

from lab.checks import equal, eventually

CHUNK = 1 << 18


class Stream:
    """One end of a connection: sends what it is given, and takes what comes while it `reads`."""

    def __init__(self, streams, sock):
        self.streams, self.sock = streams, sock
        self.parts, self.finishing = [], False
        self.sent = self.received = 0
        self.digest = hashlib.sha256()
        self.reads, self.at_end = True, False
        self.watched = 0

    def send(self, data):
        """Queues data."""
        with self.streams.lock:
            self.parts.append(memoryview(data))
            self.streams.watch(self)

    def finish(self):
        """Ends this direction behind what is queued."""
        with self.streams.lock:
            self.finishing = True
            self.streams.watch(self)

    def read(self, reads):
        """Reads on, or lets what comes wait in the kernel."""
        with self.streams.lock:
            self.reads = reads
            self.streams.watch(self)

    def done(self):
        """Both directions have ended."""
        return self.at_end and self.finishing is None

    def interest(self):
        return ((select.EPOLLIN if self.reads and not self.at_end else 0) |
                (select.EPOLLOUT if self.parts or self.finishing else 0))

    def write_some(self):
        if self.parts:
            n = self.sock.send(self.parts[0][:CHUNK])
            self.sent += n
            self.parts[0] = self.parts[0][n:]
            if not self.parts[0]:
                del self.parts[0]
        elif self.finishing:
            self.sock.shutdown(socket.SHUT_WR)
            self.finishing = None

    def read_some(self):
        data = self.sock.recv(CHUNK)
        self.received += len(data)
        self.digest.update(data)
        self.at_end = not data


class Streams:
    """The thread, and the streams that it moves; an error of any of them fails the test."""

    def __init__(self, lab):
        self.epoll, self.lock, self.of_fd = select.epoll(), threading.Lock(), {}
        self.errors = []
        lab.thread(self._run)

    def add(self, sock):
        sock.setblocking(False)
        stream = Stream(self, sock)
        with self.lock:
            self.of_fd[sock.fileno()] = stream
            self.watch(stream)
        return stream

    def watch(self, stream):
        """Asks for the events that the stream waits for; none at all when it waits for none."""
        before, stream.watched = stream.watched, stream.interest()
        if stream.watched == before:
            return
        if before and stream.watched:
            self.epoll.modify(stream.sock, stream.watched)
        elif before:
            self.epoll.unregister(stream.sock)
        else:
            self.epoll.register(stream.sock, stream.watched)

    def _serve(self, stream, events):
        if events & (select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR) and stream.reads:
            stream.read_some()
        if events & (select.EPOLLOUT | select.EPOLLERR):
            stream.write_some()

    def _run(self):
        while True:
            for fd, events in self.epoll.poll():
                with self.lock:
                    stream = self.of_fd[fd]
                    try:
                        self._serve(stream, events)
                    except BlockingIOError:
                        pass
                    except OSError as error:
                        self.errors.append(error)
                        stream.at_end, stream.parts, stream.finishing = True, [], None
                    self.watch(stream)

    def wait(self, condition, timeout, what):
        """Waits for the condition; fails at once when a stream has failed."""
        eventually(lambda: self.errors or condition(), timeout, what)
        equal(self.errors, [], "errors of connections")

    def wait_still(self, measure, timeout=30):
        """Waits until the sum of `measure` over all streams is above zero and stays the same."""
        last = [0]

        def still():
            value = sum(map(measure, self.of_fd.values()))
            same = value > 0 and value == last[0]
            last[0] = value
            return same
        eventually(still, timeout, "the transfers stand still", interval=0.3)
        equal(self.errors, [], "errors of connections")


class Flow:
    """A connection of the guest to a listener of a server, and what each side has sent."""

    def __init__(self, streams, guest_sock, listener):
        server_sock, _ = listener.accept()
        self.guest, self.server = streams.add(guest_sock), streams.add(server_sock)
        self.up, self.down = hashlib.sha256(), hashlib.sha256()

    def send_up(self, data):
        self.up.update(data)
        self.guest.send(data)

    def send_down(self, data):
        self.down.update(data)
        self.server.send(data)

    def finish(self):
        self.guest.finish()
        self.server.finish()

    def done(self):
        return self.guest.done() and self.server.done()

    def verify(self):
        """All that was sent has arrived, and nothing else."""
        equal(self.server.digest.hexdigest(), self.up.hexdigest(), "the checksum of the upload")
        equal(self.guest.digest.hexdigest(), self.down.hexdigest(),
              "the checksum of the download")
