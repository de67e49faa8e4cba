"""A guest without a network stack: frames made and read by the test itself."""

import ipaddress
import select
import socket
import struct
import time

from lab.checks import check
from lab.lab import GUEST_MAC, HOST_ADDR, ROUTER_ADDR

ETH_IP4, ETH_ARP, ETH_VLAN, ETH_IP6 = 0x0800, 0x0806, 0x8100, 0x86dd
ICMP, TCP, UDP = 1, 6, 17
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
BROADCAST = "ff:ff:ff:ff:ff:ff"


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def ip(text):
    return ipaddress.ip_address(text).packed


def checksum(data):
    """RFC 1071."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def eth(ethertype, payload, dst=BROADCAST, src=GUEST_MAC):
    return mac(dst) + mac(src) + struct.pack("!H", ethertype) + payload


def arp_request(target, sender=HOST_ADDR, src=GUEST_MAC):
    return eth(ETH_ARP, struct.pack("!HHBBH", 1, ETH_IP4, 6, 4, 1) + mac(src) + ip(sender) +
               bytes(6) + ip(target), src=src)


def ip4(proto, payload, dst, src=HOST_ADDR, ident=0, fragment=0, ttl=64, ip_options=b""):
    """An IPv4 packet in its frame; `fragment` is the field with flags and offset."""
    header_len = 20 + len(ip_options)
    header = struct.pack("!BBHHHBBH", 0x40 | header_len // 4, 0, header_len + len(payload), ident,
                         fragment, ttl, proto, 0)
    header += ip(src) + ip(dst) + ip_options
    header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
    return eth(ETH_IP4, header + payload)


def ip6(next_header, payload, dst, src, hop_limit=64):
    """An IPv6 packet in its frame; `payload` begins with extension headers, if there are any."""
    header = struct.pack("!IHBB", 6 << 28, len(payload), next_header, hop_limit)
    return eth(ETH_IP6, header + ip(src) + ip(dst) + payload)


def transport(proto, segment, src, dst, at, finished=True):
    """The segment with its checksum, at offset `at`, filled in; an unfinished one is what a
    network card that completes it is given: the sum of the pseudo-header."""
    pseudo = ip(src) + ip(dst) + struct.pack("!BBH", 0, proto, len(segment))
    total = checksum(pseudo + segment) if finished else ~checksum(pseudo) & 0xffff
    return segment[:at] + struct.pack("!H", total) + segment[at + 2:]


def udp(payload, dst, dport, sport=40000, src=HOST_ADDR, finished=True, **kwargs):
    """A datagram in its frame, of the family of `dst`."""
    datagram = struct.pack("!4H", sport, dport, 8 + len(payload), 0) + payload
    datagram = transport(UDP, datagram, src, dst, 6, finished)
    return (ip6(UDP, datagram, dst, src, **kwargs) if ":" in dst else
            ip4(UDP, datagram, dst, src, **kwargs))


def tcp(dst, dport, flags, seq=0, ack=0, payload=b"", sport=40000, window=65535, options=b"",
        src=HOST_ADDR, **kwargs):
    offset = (20 + len(options)) // 4 << 4
    segment = struct.pack("!HHIIBBHHH", sport, dport, seq & 0xffffffff, ack & 0xffffffff, offset,
                          flags, window, 0, 0) + options + payload
    return ip4(TCP, transport(TCP, segment, src, dst, 16), dst, src, **kwargs)


def echo_request(dst, ident=1, seq=1, payload=b"payload", src=HOST_ADDR, **kwargs):
    message = struct.pack("!BBHHH", 8, 0, 0, ident, seq) + payload
    message = message[:2] + struct.pack("!H", checksum(message)) + message[4:]
    return ip4(ICMP, message, dst, src, **kwargs)


def dhcp(kind, options=b"", xid=0x1234, ciaddr="0.0.0.0", flags=0, src="0.0.0.0",
         dst="255.255.255.255"):
    """A BOOTP request, with option 53 unless `kind` is None."""
    message = struct.pack("!BBBBIHH", 1, 1, 6, 0, xid, 0, flags) + ip(ciaddr) + bytes(12)
    message += mac(GUEST_MAC) + bytes(10 + 64 + 128) + b"\x63\x82\x53\x63"
    if kind is not None:
        message += bytes([53, 1, kind])
    return udp(message + options + b"\xff", dst, 67, 68, src)


class Packet:
    """A received frame, taken apart as far as tests ask."""

    def __init__(self, frame):
        self.frame = frame
        self.ethertype, = struct.unpack_from("!H", frame, 12)
        self.payload = frame[14:]
        self.proto = None
        if self.ethertype == ETH_IP4:
            length, = struct.unpack_from("!H", frame, 16)
            self.proto, self.ttl = frame[23], frame[22]
            self.src, self.dst = (str(ipaddress.ip_address(frame[i:i + 4])) for i in (26, 30))
            self.ip_ok = checksum(frame[14:34]) == 0
            self.l4 = frame[34:14 + length]
        if self.proto in (UDP, TCP):
            self.sport, self.dport = struct.unpack_from("!HH", self.l4)
            pseudo = ip(self.src) + ip(self.dst) + struct.pack("!BBH", 0, self.proto, len(self.l4))
            self.l4_ok = checksum(pseudo + self.l4) == 0 or self.l4[6:8] == b"\0\0"
        if self.proto == UDP:
            self.data = self.l4[8:]
        if self.proto == TCP:
            self.seq, self.ack = struct.unpack_from("!II", self.l4, 4)
            self.flags = self.l4[13]
            self.window, = struct.unpack_from("!H", self.l4, 14)
            self.data = self.l4[(self.l4[12] >> 4) * 4:]

    def dhcp_options(self):
        """{number: bytes} of a DHCP reply."""
        options, at = {}, 240
        while at < len(self.data) and self.data[at] != 255:
            if self.data[at] == 0:
                at += 1
                continue
            number, length = self.data[at], self.data[at + 1]
            options[number] = options.get(number, b"") + self.data[at + 2:at + 2 + length]
            at += 2 + length
        return options


class Link:
    """The guest's end of the link socket."""

    def __init__(self, daemon, timeout=10, sock=None):
        """With `sock` the link stands already."""
        self.sock = sock or socket.socket(socket.AF_UNIX)
        self.sock.settimeout(timeout)
        if not sock:
            self.sock.connect(str(daemon.socket))
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self.sock.close()

    def send_raw(self, data):
        self.sock.sendall(data)

    def send(self, *frames):
        self.send_raw(b"".join(struct.pack("!I", len(frame)) + frame for frame in frames))

    def receive(self, timeout=10):
        """The next frame as a Packet; None when none comes in time; EOFError at the end."""
        deadline = time.monotonic() + timeout
        while True:
            if len(self.buffer) >= 4:
                length, = struct.unpack_from("!I", self.buffer)
                check(14 <= length <= 65549, f"the daemon sent a frame of {length} bytes")
                if len(self.buffer) >= 4 + length:
                    frame = self.buffer[4:4 + length]
                    self.buffer = self.buffer[4 + length:]
                    return Packet(frame)
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.sock], [], [], left)[0]:
                return None
            data = self.sock.recv(1 << 20)
            if not data:
                raise EOFError("the daemon closed the link")
            self.buffer += data

    def expect(self, condition, what, timeout=10):
        """The next packet that meets the condition; others are passed over."""
        deadline = time.monotonic() + timeout
        while (left := deadline - time.monotonic()) > 0:
            packet = self.receive(left)
            if packet and condition(packet):
                return packet
        raise AssertionError(f"{what} did not come")

    def expect_closed(self, timeout=10):
        """The daemon closes the link."""
        deadline = time.monotonic() + timeout
        try:
            while time.monotonic() < deadline:
                self.receive(1)
        except (EOFError, ConnectionError):
            return
        raise AssertionError("the daemon did not close the link")

    def resolve(self, target=ROUTER_ADDR, sender=HOST_ADDR):
        """Asks for the address by ARP and returns the reply."""
        self.send(arp_request(target, sender))
        return self.expect(lambda p: p.ethertype == ETH_ARP and p.frame[21] == 2 and
                           p.frame[28:32] == ip(target), f"the ARP reply for {target}")

    def alive(self):
        """The daemon still answers on this link; everything sent before has been dealt with."""
        self.resolve()
