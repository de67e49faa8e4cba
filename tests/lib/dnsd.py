#!/usr/bin/env python3
"""dnsd: a name server for tests, over UDP and TCP, that can also misbehave on request.

usage: dnsd.py [--log FILE] ZONEFILE ADDRESS[:PORT | #PORT]...

Prints "ready" once it listens on every ADDRESS (port 53 unless given; `#PORT` for IPv6 too).
The log gets one line a query as it arrives: `udp|tcp CLIENT PORT ID TYPE NAME`.

A zone file has one record a line, `NAME TTL TYPE VALUE`, and comments behind `;`:
    www.example.org.   60 A       198.51.100.2
    alias.example.org. 60 CNAME   www.example.org.
    text.example.org.  60 TXT     "a string" "another"
    raw.example.org.   60 TYPE65280 00ff         any type, its RDATA in hexadecimal
What is no record but a behaviour, and holds for every type asked of that name:
    mute.example.org.   0 SILENT                  no answer at all
    fail.example.org.   0 RCODE   2               this RCODE and an empty answer
    evil.example.org.   0 FORGED  203.0.113.66    three false A answers before the true one:
                                                  wrong id, wrong question, wrong source port
Names outside the zone get NXDOMAIN, types that a name lacks an empty NOERROR, both with the
zone's SOA (negative TTL 5 s).  An answer larger than the client takes by UDP comes with TC set.
"""

import argparse
import ipaddress
import re
import shlex
import socket
import socketserver
import struct
import sys
import threading

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28,
         "OPT": 41, "ANY": 255}
NOERROR, FORMERR, SERVFAIL, NXDOMAIN = 0, 1, 2, 3
FLAG_QR, FLAG_AA, FLAG_TC, FLAG_RD, FLAG_RA = 0x8000, 0x0400, 0x0200, 0x0100, 0x0080
UDP_SIZE_PLAIN, UDP_SIZE_EDNS = 512, 4096
NEGATIVE_TTL = 5


def encode_name(name):
    labels = [label.encode() for label in name.strip(".").split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def decode_name(message, offset):
    """The name in a question (never compressed there) and the offset behind it."""
    labels = []
    while message[offset]:
        length = message[offset]
        labels.append(message[offset + 1:offset + 1 + length].decode("ascii", "replace"))
        offset += 1 + length
    return ".".join(labels) + ".", offset + 1


def encode_rdata(kind, value):
    if kind in ("A", "AAAA"):
        return ipaddress.ip_address(value).packed
    if kind in ("CNAME", "NS", "PTR"):
        return encode_name(value)
    if kind == "MX":
        preference, name = value.split()
        return struct.pack("!H", int(preference)) + encode_name(name)
    if kind == "TXT":
        strings = [part.encode() for part in shlex.split(value)]
        return b"".join(bytes([len(string)]) + string for string in strings)
    return bytes.fromhex(value)


class Zone:
    """Records and behaviours by lower-case name: [(ttl, type number, rdata)], {word: value}."""

    def __init__(self, text):
        self.records = {}
        self.behaviours = {}
        for line in text.splitlines():
            line = re.sub(r"\s*;.*", "", line).strip()
            if line:
                self.add(*(line.split(None, 3) + [""])[:4])

    def add(self, name, ttl, kind, value=""):
        name = name.lower().rstrip(".") + "."
        if kind in ("SILENT", "RCODE", "FORGED"):
            self.behaviours.setdefault(name, {})[kind] = value
            return
        number = TYPES.get(kind) or int(kind.removeprefix("TYPE"))
        record = (int(ttl), number, encode_rdata(kind, value))
        self.records.setdefault(name, []).append(record)

    def lookup(self, name, number):
        """(rcode, [(owner or None for the question's, ttl, type, rdata)]), CNAMEs followed."""
        answers, owner = [], None
        for _ in range(16):
            records = self.records.get(name.lower())
            if records is None:
                return (NOERROR if answers else NXDOMAIN), answers
            matching = [r for r in records if number in (r[1], TYPES["ANY"])]
            answers += [(owner, *record) for record in matching]
            alias = next((r for r in records if r[1] == TYPES["CNAME"]), None)
            if matching or not alias:
                return NOERROR, answers
            answers.append((owner, *alias))
            owner = name = decode_name(alias[2], 0)[0]
        return SERVFAIL, []


class Query:
    """What a query asks; raises IndexError, struct.error for one that is cut off."""

    def __init__(self, message):
        self.id, self.flags, questions, _, _, additional = struct.unpack_from("!6H", message)
        self.name, end = decode_name(message, 12)
        self.type, self.qclass = struct.unpack_from("!2H", message, end)
        self.question = message[12:end + 4]
        self.udp_size = UDP_SIZE_PLAIN
        self.edns = additional > 0 and message[end + 4:end + 7] == b"\0\0\x29"
        if self.edns:
            self.udp_size = max(UDP_SIZE_PLAIN, *struct.unpack_from("!H", message, end + 7))

    def reply(self, rcode, answers, truncated=False):
        flags = FLAG_QR | FLAG_AA | FLAG_RA | (self.flags & FLAG_RD) | rcode
        negative = not answers and rcode in (NOERROR, NXDOMAIN) and not truncated
        message = struct.pack("!6H", self.id, flags | (FLAG_TC if truncated else 0), 1,
                              len(answers), int(negative), int(self.edns)) + self.question
        for owner, ttl, number, rdata in answers:
            message += encode_name(owner) if owner else b"\xc0\x0c"
            message += struct.pack("!HHIH", number, 1, ttl, len(rdata)) + rdata
        if negative:
            rdata = encode_name("ns.") + encode_name("root.ns.") + struct.pack(
                "!5I", 1, 3600, 600, 86400, NEGATIVE_TTL)
            message += struct.pack("!BHHIH", 0, TYPES["SOA"], 1, NEGATIVE_TTL, len(rdata)) + rdata
        if self.edns:
            message += struct.pack("!BHHIH", 0, TYPES["OPT"], UDP_SIZE_EDNS, 0, 0)
        return message


class Responder(socketserver.BaseRequestHandler):
    """Answers queries from the server's zone; the two transports differ in how they send."""

    def answer(self, message, transport, limit=None):
        """The reply to send, None for silence."""
        try:
            query = Query(message)
        except (IndexError, struct.error):
            return message[:2] + struct.pack("!5H", FLAG_QR | FORMERR, 0, 0, 0, 0)
        self.server.log_query(transport, self.client_address, query)
        behaviour = self.server.zone.behaviours.get(query.name.lower(), {})
        if "SILENT" in behaviour:
            return None
        if "RCODE" in behaviour:
            return query.reply(int(behaviour["RCODE"]), [])
        if "FORGED" in behaviour and transport == "udp":
            self.forge(query, behaviour["FORGED"])
        reply = query.reply(*self.server.zone.lookup(query.name, query.type))
        if limit and len(reply) > min(query.udp_size, limit):
            reply = query.reply(NOERROR, [], truncated=True)
        return reply


class UdpResponder(Responder):
    def handle(self):
        message, self.listener = self.request
        reply = self.answer(message, "udp", UDP_SIZE_EDNS)
        if reply is not None:
            self.listener.sendto(reply, self.client_address)

    def forge(self, query, address):
        lie = query.reply(NOERROR, [(None, 60, TYPES["A"], encode_rdata("A", address))])
        self.listener.sendto(struct.pack("!H", query.id ^ 1) + lie[2:], self.client_address)
        other = lie.replace(query.question, b"\x01x" + query.question[2 + query.question[0] - 1:])
        self.listener.sendto(other, self.client_address)
        with socket.socket(self.listener.family, socket.SOCK_DGRAM) as stranger:
            stranger.bind((self.listener.getsockname()[0], 0))
            stranger.sendto(lie, self.client_address)


class TcpResponder(Responder):
    def handle(self):
        stream = self.request.makefile("rwb")
        while len(prefix := stream.read(2)) == 2:
            reply = self.answer(stream.read(*struct.unpack("!H", prefix)), "tcp")
            if reply is not None:
                stream.write(struct.pack("!H", len(reply)) + reply)
                stream.flush()


class Dnsd:
    """The server on one address, UDP and TCP; its sockets belong to the caller's namespace."""

    def __init__(self, zone, address, port=53, log=None):
        self.servers = []
        for base, handler in ((socketserver.ThreadingUDPServer, UdpResponder),
                              (socketserver.ThreadingTCPServer, TcpResponder)):
            family, _, _, _, where = socket.getaddrinfo(address, port)[0]
            kind = type("Server", (base,), {
                "address_family": family,
                "allow_reuse_address": True, "daemon_threads": True,
                "max_packet_size": 65535, "zone": zone,
                "log_query": staticmethod(self.log_query)})
            self.servers.append(kind(where, handler))
            port = self.servers[0].server_address[1]
        self.log = log

    def log_query(self, transport, client, query):
        if self.log:
            print(transport, *client[:2], query.id, query.type, query.name,
                  file=self.log, flush=True)

    def start(self):
        """Serves in threads of its own, for the life of the process."""
        for server in self.servers:
            threading.Thread(target=server.serve_forever, daemon=True).start()
        return self


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--log", metavar="FILE", type=argparse.FileType("a"))
    parser.add_argument("zonefile", type=argparse.FileType())
    parser.add_argument("address", nargs="+")
    options = parser.parse_args()
    zone = Zone(options.zonefile.read())
    for address in options.address:
        host, _, port = address.partition("#")
        if host.count(":") == 1:
            host, port = host.split(":")
        Dnsd(zone, host, int(port or 53), options.log).start()
    print("ready", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    sys.exit(main())
