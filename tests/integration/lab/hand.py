"""TCP by hand: a connection of a guest that the test plays segment by segment."""

import itertools

from lab import frames
from lab.checks import check, equal
from lab.frames import ACK, FIN, RST, SYN, TCP
from lab.lab import SERVER_ADDR

PORTS = itertools.count(41000)


def number(value):
    """Modulo 2^32, as sequence numbers are."""
    return value & 0xffffffff


class Hand:
    """The guest's end of a connection to the server. Arguments beyond the named ones go into
    the headers of every segment, see frames.ip4; `padding` goes behind every packet."""

    def __init__(self, link, port, window=65535, options=b"", scale=0, padding=b"", seq=1000,
                 **kwargs):
        self.link, self.port, self.sport = link, port, next(PORTS)
        self.window, self.padding, self.kwargs = window, padding, kwargs
        self.seq = number(seq)
        self.link.send(self.segment(SYN, options=options))
        reply = self.expect(lambda p: True, "SYN-ACK")
        equal(reply.flags & (SYN | ACK | RST), SYN | ACK, "flags")
        self.seq, self.ack = number(seq + 1), number(reply.seq + 1)
        self.scale = scale  # of the windows that come
        self.edge = number(self.seq + reply.window)
        self.send(b"")

    def segment(self, flags, data=b"", seq=None, options=b""):
        """A frame with a segment at `seq`, by default the next."""
        ack = 0 if flags & SYN else self.ack
        return frames.tcp(SERVER_ADDR, self.port, flags, self.seq if seq is None else number(seq),
                          ack, data, self.sport, self.window, options, **self.kwargs) + self.padding

    def send(self, data, flags=0):
        """The next segment, with data or without."""
        self.link.send(self.segment(ACK | flags, data))
        self.seq = number(self.seq + len(data) + bool(flags & FIN))

    def expect(self, condition, what, timeout=10):
        """The next packet of this connection that meets the condition."""
        packet = self.link.expect(lambda p: p.proto == TCP and p.dport == self.sport and
                                  (p.flags & RST or condition(p)), what, timeout)
        check(not packet.flags & RST, f"a reset came instead of {what}")
        check(packet.ip_ok and packet.l4_ok, "a checksum is wrong")
        return packet

    def expect_ack(self):
        """The acknowledgment of all that was sent."""
        packet = self.expect(lambda p: p.ack == self.seq, "the acknowledgment of it all")
        equal(packet.seq, self.ack, "the sequence number of the acknowledgment")
        return packet

    def upload(self, data, size):
        """Sends data in segments of at most `size` bytes, as the window allows."""
        sent = 0
        while sent < len(data):
            part = data[sent:sent + min(size, number(self.edge - self.seq))]
            if len(part) == min(size, len(data) - sent):
                self.send(part)
                sent += len(part)
                continue
            packet = self.expect(lambda p: True, "an acknowledgment")
            self.edge = number(packet.ack + (packet.window << self.scale))

    def download(self, size, take):
        """`size` bytes of the stream; take(self) answers each segment, whose place in the stream
        is in self.ack already."""
        stream = b""
        while len(stream) < size:
            packet = self.expect(lambda p: p.data, "data")
            equal(packet.seq, self.ack, "the sequence number")
            check(len(packet.data) <= self.window, "more data came than the window has room for")
            self.ack = number(self.ack + len(packet.data))
            stream += packet.data
            take(self)
        return stream
