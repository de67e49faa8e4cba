"""The link: any split of the byte stream, any frame, any client."""

import os
import random
import select
import struct

from lab import frames
from lab.checks import check, deadline, equal, eventually, raises
from lab.frames import ETH_ARP, ETH_IP6, ETH_VLAN, ICMP, TCP, UDP, Link
from lab.lab import DNS_ADDR, GUEST_MAC, HOST_ADDR, ROUTER_ADDR, SERVER_ADDR
from lab.servers import TcpServer, echo, pattern, receive_all, udp_echo

FRAME_MAX = 65535 + 14
DISCOVER, OFFER, REQUEST, DECLINE, ACK, NAK, RELEASE, INFORM = 1, 2, 3, 4, 5, 6, 7, 8


def linked(lab, *args):
    """(daemon, link) with nobody but the test behind the link."""
    daemon = lab.daemon().start(*args)
    return daemon, Link(daemon)


# The byte stream.

def test_byte_at_a_time(lab):
    """A frame that comes one byte at a time is answered like any other."""
    _, link = linked(lab)
    frame = frames.arp_request(ROUTER_ADDR)
    for byte in struct.pack("!I", len(frame)) + frame:
        link.send_raw(bytes([byte]))
    link.expect(lambda p: p.ethertype == ETH_ARP and p.frame[21] == 2, "the ARP reply")


def test_many_frames_at_once(lab):
    """Each of 2,000 frames in one write of 100 kB is answered."""
    _, link = linked(lab)
    targets = [f"192.0.2.{3 + i % 250}" for i in range(2000)]
    lab.thread(lambda: link.send(*map(frames.arp_request, targets)))
    for target in targets:
        reply = link.expect(lambda p: p.ethertype == ETH_ARP and p.frame[21] == 2, "a reply", 30)
        equal(reply.frame[28:32], frames.ip(target), "the address that the reply is about")


def test_megabytes_at_once(lab):
    """Frames of the largest size, megabytes in one go, are all taken."""
    _, link = linked(lab)
    received = []
    server = lab.server.udp_socket(port=7, buffer=16 << 20)
    payload = pattern(60000)
    link.send(*[frames.udp(payload, SERVER_ADDR, 7) for _ in range(50)])
    while len(received) < 50:
        received.append(server.recv(1 << 16) == payload)
    check(all(received), "a datagram differs")


def test_largest_frame(lab):
    """A frame of 65,535 bytes behind its header passes whole."""
    _, link = linked(lab)
    server = lab.server.udp_socket(port=7, buffer=4 << 20)
    payload = pattern(65507)
    frame = frames.udp(payload, SERVER_ADDR, 7)
    equal(len(frame), FRAME_MAX, "the frame's size")
    link.send(frame)
    check(server.recv(1 << 16) == payload, "the datagram differs")


def test_padding_trimmed(lab):
    """Bytes behind the packet are the wire's padding, and not data."""
    _, link = linked(lab)
    server = lab.server.udp_socket(port=7)
    link.send(frames.udp(b"abc", SERVER_ADDR, 7) + bytes(30))
    equal(server.recv(100), b"abc", "the datagram")


def test_runts(lab):
    """Frames too short for a header, empty ones too, are dropped and the stream goes on."""
    _, link = linked(lab)
    for size in range(14):
        link.send(bytes(size))
    link.alive()


def test_nonsense_length(lab):
    """A length that no frame has ends this client with one line of the log, not the daemon."""
    for length in (FRAME_MAX + 100, 1 << 24, 0xffffffff):
        daemon, link = linked(lab)
        link.alive()
        before = len(daemon.log().splitlines())
        link.send_raw(struct.pack("!I", length) + bytes(100))
        link.expect_closed()
        equal(len(daemon.log().splitlines()) - before, 1, f"lines logged for length {length}")
        with Link(daemon) as again:
            again.alive()
        daemon.stop()


def test_half_a_frame(lab):
    """What a client left half said does not spoil the next one's stream."""
    daemon, link = linked(lab)
    frame = frames.arp_request(ROUTER_ADDR)
    for cut in (1, 3, 4, 20):
        link.send_raw((struct.pack("!I", len(frame)) + frame)[:cut])
        link.sock.close()
        link = connect_when_free(daemon)
    link.alive()


def connect_when_free(daemon):
    """A link, once the daemon has noticed that the client before has gone."""
    def attempt():
        link = Link(daemon)
        try:
            link.alive()
            return link
        except (EOFError, ConnectionError):
            link.sock.close()
            return None
    return eventually(attempt, 10, "the daemon takes the next client")


def test_second_client(lab):
    """A second client is refused with one line of the log, and the first one stays."""
    daemon, link = linked(lab)
    link.alive()
    before = len(daemon.log().splitlines())
    with Link(daemon) as second:
        second.expect_closed()
    equal(len(daemon.log().splitlines()) - before, 1, "lines logged")
    link.alive()


@deadline(90)
def test_guest_that_does_not_read(lab):
    """Requests of a guest that reads no answers cost bounded memory, and nobody else's service."""
    daemon, link = linked(lab)
    link.alive()
    before = daemon.resident_kb()
    link.sock.setblocking(False)
    request = frames.echo_request(ROUTER_ADDR, payload=pattern(8000))
    data = (struct.pack("!I", len(request)) + request) * 100
    sent = 0
    while sent < 64 << 20 and select.select([], [link.sock], [], 2)[1]:
        sent += link.sock.send(data[sent % len(data):])
    check(daemon.resident_kb() - before < 32 << 10,
          f"{sent >> 10} kB of requests grew the daemon by {daemon.resident_kb() - before} kB")
    with daemon.qmp() as session:
        session.execute("query-status")
    link.sock.settimeout(10)
    link.send_raw(data[sent % len(data):] if sent % len(data) else b"")
    link.alive()


# ARP.

def test_arp_reply(lab):
    """All 42 bytes of an ARP reply are right."""
    _, link = linked(lab)
    reply = link.resolve().frame
    ours = reply[6:12]
    check(not ours[0] & 1, f"the MAC address {ours.hex(':')} is not one of a station")
    expected = (frames.mac(GUEST_MAC) + ours + b"\x08\x06" + b"\0\1\x08\0\x06\x04\0\2" + ours +
                frames.ip(ROUTER_ADDR) + frames.mac(GUEST_MAC) + frames.ip(HOST_ADDR))
    equal(reply[:42].hex(" "), expected.hex(" "), "the reply")


def test_arp_own_address(lab):
    """Nobody answers for the guest's own address, neither to a probe nor to an announcement."""
    _, link = linked(lab)
    for sender in ("0.0.0.0", HOST_ADDR):
        link.send(frames.arp_request(HOST_ADDR, sender))
    # The reply to the next request shows that those before have been dealt with.
    link.send(frames.arp_request(ROUTER_ADDR))
    first = link.expect(lambda p: p.ethertype == ETH_ARP and p.frame[21] == 2, "a reply")
    equal(first.frame[28:32], frames.ip(ROUTER_ADDR), "the address of the first reply")


def test_arp_any_address(lab):
    """Any other address has an answer, near or far."""
    _, link = linked(lab)
    for target in ("192.0.2.200", SERVER_ADDR, "8.8.8.8"):
        link.resolve(target)


def test_guest_mac_learned(lab):
    """Frames go to the address that the guest last spoke from."""
    _, link = linked(lab)
    link.alive()
    other = "52:54:00:aa:bb:cc"
    link.send(frames.arp_request(ROUTER_ADDR, src=other))
    reply = link.expect(lambda p: p.ethertype == ETH_ARP and p.frame[:6] == frames.mac(other),
                        "a reply to the new address")
    equal(reply.frame[32:38], frames.mac(other), "the target hardware address")


# DHCP, as no client sends it.

def dhcp_exchange(link, kind, *args, **kwargs):
    link.send(frames.dhcp(kind, *args, **kwargs))
    return link.expect(lambda p: p.proto == UDP and p.dport == 68, "the DHCP reply")


def test_dhcp_reply_form(lab):
    """The reply has right checksums and ports, and is not shorter than BOOTP's 300 bytes."""
    _, link = linked(lab)
    reply = dhcp_exchange(link, DISCOVER, bytes([55, 1, 1]))
    check(reply.ip_ok and reply.l4_ok, "a checksum is wrong")
    equal((reply.sport, reply.dport), (67, 68), "the ports")
    check(len(reply.data) >= 300, f"a reply of {len(reply.data)} bytes")
    equal(reply.data[4:8], struct.pack("!I", 0x1234), "the transaction id")
    equal(reply.data[16:20], frames.ip(HOST_ADDR), "yiaddr")
    equal(reply.dhcp_options()[53], bytes([OFFER]), "the message type")


def test_dhcp_parameter_list(lab):
    """Of what the client may ask for, it gets what it asked for."""
    _, link = linked(lab)
    asked = dhcp_exchange(link, DISCOVER, bytes([55, 3, 1, 3, 6])).dhcp_options()
    equal(asked[1], frames.ip("255.255.255.0"), "the mask")
    equal(asked[3], frames.ip(ROUTER_ADDR), "the router")
    equal(asked[6], frames.ip(DNS_ADDR), "the name server")
    check(26 not in asked and 119 not in asked, f"options that were not asked for: {asked}")
    equal(asked[54], frames.ip(ROUTER_ADDR), "the server identifier")
    check(51 in asked, "no lease time")


def test_dhcp_nak(lab):
    """A request for another address is refused with NAK."""
    _, link = linked(lab)
    reply = dhcp_exchange(link, REQUEST, bytes([50, 4]) + frames.ip("192.0.2.99"))
    equal(reply.dhcp_options()[53], bytes([NAK]), "the message type")
    equal(reply.dst, "255.255.255.255", "the destination")


def test_dhcp_other_server(lab):
    """A request that names another server is none of ours."""
    _, link = linked(lab)
    link.send(frames.dhcp(REQUEST, bytes([50, 4]) + frames.ip(HOST_ADDR) +
                          bytes([54, 4]) + frames.ip("192.0.2.250")))
    link.send(frames.arp_request(ROUTER_ADDR))
    first = link.expect(lambda p: p.ethertype == ETH_ARP or p.proto == UDP, "any answer")
    equal(first.ethertype, ETH_ARP, "the type of the first answer")


def test_dhcp_inform(lab):
    """INFORM gets the parameters and no address."""
    _, link = linked(lab)
    reply = dhcp_exchange(link, INFORM, bytes([55, 1, 6]), ciaddr=HOST_ADDR, src=HOST_ADDR)
    options = reply.dhcp_options()
    equal(options[53], bytes([ACK]), "the message type")
    equal(reply.data[16:20], bytes(4), "yiaddr")
    equal(options[6], frames.ip(DNS_ADDR), "the name server")
    check(51 not in options, "a lease time for no lease")


def test_dhcp_bootp(lab):
    """A BOOTP client, which has no message type, gets its address."""
    _, link = linked(lab)
    reply = dhcp_exchange(link, None)
    equal(reply.data[16:20], frames.ip(HOST_ADDR), "yiaddr")
    check(53 not in reply.dhcp_options(), "a message type for a BOOTP client")


def test_dhcp_rapid_commit(lab):
    """DISCOVER with rapid commit is acknowledged at once."""
    _, link = linked(lab)
    options = dhcp_exchange(link, DISCOVER, bytes([80, 0])).dhcp_options()
    equal(options[53], bytes([ACK]), "the message type")
    check(80 in options, "no rapid commit in the reply")


def test_dhcp_decline(lab):
    """After DECLINE the client may ask again, and gets an answer."""
    _, link = linked(lab)
    link.send(frames.dhcp(DECLINE, bytes([50, 4]) + frames.ip(HOST_ADDR) +
                          bytes([54, 4]) + frames.ip(ROUTER_ADDR)))
    reply = dhcp_exchange(link, DISCOVER)
    equal(reply.dhcp_options()[53], bytes([OFFER]), "the message type")


# Hostile and odd frames.

def valid_frames():
    return {
        "arp": frames.arp_request(ROUTER_ADDR),
        "udp": frames.udp(b"data", SERVER_ADDR, 9),
        "dns": frames.udp(b"\x12\x34\1\0\0\1\0\0\0\0\0\0\1a\0\0\1\0\1", DNS_ADDR, 53),
        "tcp": frames.tcp(SERVER_ADDR, 9, frames.SYN, options=b"\2\4\5\xb4\4\2\1\3\3\7\0\0"),
        "icmp": frames.echo_request(SERVER_ADDR),
        "dhcp": frames.dhcp(DISCOVER, bytes([55, 3, 1, 3, 6])),
        "fragment": frames.udp(bytes(100), SERVER_ADDR, 9, fragment=0x2000),
        "ip6": frames.eth(ETH_IP6, b"\x60" + bytes(39)),
        "vlan": frames.eth(ETH_VLAN, b"\0\1\x08\x06" + frames.arp_request(ROUTER_ADDR)[14:]),
    }


def test_truncated_frames(lab):
    """Every valid frame, cut at every byte, does no harm."""
    _, link = linked(lab)
    for frame in valid_frames().values():
        link.send(*[frame[:cut] for cut in range(len(frame))])
    link.alive()


@deadline(120)
def test_damaged_frames(lab):
    """Valid frames with random damage, 20,000 of them, do no harm."""
    _, link = linked(lab)
    seed = int(os.environ.get("LAB_SEED", "1"))
    rng, originals = random.Random(seed), list(valid_frames().values())
    for _ in range(200):
        batch = []
        for _ in range(100):
            frame = bytearray(rng.choice(originals))
            for _ in range(rng.choice((1, 2, 4, 16))):
                frame[rng.randrange(12, len(frame))] = rng.randrange(256)
            if rng.random() < 0.2:
                del frame[rng.randrange(14, len(frame)):]
            batch.append(bytes(frame))
        link.send(*batch)
        while link.receive(0):
            pass
    link.alive()


def test_noise(lab):
    """5,000 frames of random bytes do no harm."""
    _, link = linked(lab)
    rng = random.Random(int(os.environ.get("LAB_SEED", "2")))
    for _ in range(50):
        link.send(*[rng.randbytes(rng.randrange(200)) for _ in range(100)])
    link.alive()


def test_vlan_and_ip6_not_answered(lab):
    """Frames with a VLAN tag or of IPv6 are dropped, and ARP goes on."""
    daemon, link = linked(lab)
    for name in ("vlan", "ip6"):
        link.send(valid_frames()[name])
    link.alive()
    check(daemon.running(), "the daemon has ended")


def test_loopback_source_refused(lab):
    """Packets from or to a loopback address go nowhere."""
    listener = lab.host.udp_socket("127.0.0.1", 7777, timeout=1)
    _, link = linked(lab)
    link.send(frames.udp(b"x", "127.0.0.1", 7777))
    link.send(frames.udp(b"x", SERVER_ADDR, 7777, src="127.0.0.1"))
    link.alive()
    with raises(TimeoutError, "recv on the loopback"):
        listener.recv(100)


def test_unfinished_checksums(lab):
    """Packets whose checksums the guest left to its hardware are taken."""
    lab_server = lab.server.udp_socket(port=7)
    _, link = linked(lab)
    frame = bytearray(frames.udp(b"unfinished", SERVER_ADDR, 7))
    frame[40:42] = b"\x12\x34"
    link.send(bytes(frame))
    equal(lab_server.recv(100), b"unfinished", "the datagram")


def test_fragments(lab):
    """Fragments in any order make one datagram."""
    server = lab.server.udp_socket(port=7)
    _, link = linked(lab)
    whole = frames.udp(pattern(3000), SERVER_ADDR, 7)[34:]
    parts = [(at, whole[at:at + 1000]) for at in range(0, len(whole), 1000)]
    for at, part in reversed(parts):
        more = 0x2000 if at + 1000 < len(whole) else 0
        link.send(frames.ip4(UDP, part, SERVER_ADDR, ident=77, fragment=more | at // 8))
    check(server.recv(5000) == pattern(3000), "the datagram differs")


def test_fragment_flood(lab):
    """First fragments without the rest, 20,000 of them, cost bounded memory."""
    daemon, link = linked(lab)
    link.alive()
    before = daemon.resident_kb()
    body = frames.udp(bytes(1400), SERVER_ADDR, 7)[34:]
    for start in range(0, 20000, 200):
        link.send(*[frames.ip4(UDP, body, SERVER_ADDR, ident=i, fragment=0x2000)
                    for i in range(start, start + 200)])
    link.alive()
    grown = daemon.resident_kb() - before
    check(grown < 16 << 10, f"the daemon grew by {grown} kB")


# TCP, as no stack sends it.

def tcp_connect(link, port, sport, seq=1000):
    """Opens a connection to the server by hand; returns (our next seq, their next seq)."""
    link.send(frames.tcp(SERVER_ADDR, port, frames.SYN, seq, sport=sport))
    reply = link.expect(lambda p: p.proto == TCP and p.dport == sport, "SYN-ACK")
    equal(reply.flags & (frames.SYN | frames.ACK | frames.RST), frames.SYN | frames.ACK, "flags")
    equal(reply.ack, seq + 1, "the acknowledgment")
    check(reply.ip_ok and reply.l4_ok, "a checksum is wrong")
    link.send(frames.tcp(SERVER_ADDR, port, frames.ACK, seq + 1, reply.seq + 1, sport=sport))
    return seq + 1, reply.seq + 1


def test_tcp_unknown_segment(lab):
    """A segment of no connection is answered with a reset that fits it (RFC 9293, 3.10.7.1)."""
    _, link = linked(lab)
    link.send(frames.tcp(SERVER_ADDR, 80, frames.ACK, 500, 7000, b"data"))
    reset = link.expect(lambda p: p.proto == TCP, "the reset")
    equal((reset.flags & frames.RST, reset.seq), (frames.RST, 7000), "the reset")


def test_tcp_no_window_scale(lab):
    """A guest that offers no options gets none but those every TCP knows, and its data."""
    port = TcpServer(lab, lab.server.tcp_listen(), echo).port
    _, link = linked(lab)
    link.send(frames.tcp(SERVER_ADDR, port, frames.SYN, 1000))
    reply = link.expect(lambda p: p.proto == TCP, "SYN-ACK")
    options, kinds, at = reply.l4[20:(reply.l4[12] >> 4) * 4], set(), 0
    while at < len(options) and options[at]:
        kinds.add(options[at])
        at += 1 if options[at] == 1 else options[at + 1]
    check(kinds <= {1, 2}, f"options {kinds} in the SYN-ACK")
    link.send(frames.tcp(SERVER_ADDR, port, frames.ACK | frames.PSH, 1001, reply.seq + 1, b"hello"))
    equal(link.expect(lambda p: p.proto == TCP and p.data, "the echo").data, b"hello", "the echo")


def test_tcp_out_of_order(lab):
    """Segments in the wrong order and twice make the right stream."""
    received = []
    server = TcpServer(lab, lab.server.tcp_listen(),
                       lambda conn, _peer: received.append(receive_all(conn)))
    _, link = linked(lab)
    seq, ack = tcp_connect(link, server.port, 41000)
    data = pattern(10000)
    for at in (9000, 1000, 0, 1000, 5000, 3000, 2000, 4000, 8000, 7000, 6000, 0):
        link.send(frames.tcp(SERVER_ADDR, server.port, frames.ACK, seq + at, ack,
                             data[at:at + 1000], sport=41000))
    link.expect(lambda p: p.proto == TCP and p.ack == seq + 10000, "the acknowledgment of it all")
    link.send(frames.tcp(SERVER_ADDR, server.port, frames.ACK | frames.FIN, seq + 10000, ack,
                         sport=41000))
    eventually(lambda: received, 10, "the server has it all")
    check(received[0] == data, "the stream differs")


def test_tcp_retransmission(lab):
    """What the guest does not acknowledge is sent again."""
    server = TcpServer(lab, lab.server.tcp_listen(), lambda conn, _peer: (
        conn.sendall(b"again"), conn.recv(1)))
    _, link = linked(lab)
    seq, ack = tcp_connect(link, server.port, 41001)
    for _ in range(2):
        packet = link.expect(lambda p: p.proto == TCP and p.data, "the data")
        equal((packet.seq, packet.data), (ack, b"again"), "the segment")
    link.send(frames.tcp(SERVER_ADDR, server.port, frames.RST, seq, sport=41001))


def test_tcp_window_respected(lab):
    """No more is sent than the guest's window has room for; a probe may bring one byte."""
    data = pattern(100000)
    server = TcpServer(lab, lab.server.tcp_listen(), lambda conn, _peer: (
        conn.sendall(data), conn.recv(1)))
    _, link = linked(lab)
    seq, ack = 1001, None
    link.send(frames.tcp(SERVER_ADDR, server.port, frames.SYN, 1000, window=3000))
    reply = link.expect(lambda p: p.proto == TCP, "SYN-ACK")
    ack = reply.seq + 1
    link.send(frames.tcp(SERVER_ADDR, server.port, frames.ACK, seq, ack, window=3000))
    got, stream = 0, b""
    while got < 30000:
        packet = link.expect(lambda p: p.proto == TCP and p.data, "data")
        end = (packet.seq - ack + len(packet.data)) & 0xffffffff
        check(end <= got + 3000, f"byte {end} came, the window ended at {got + 3000}")
        if packet.seq == (ack + got) & 0xffffffff:
            stream += packet.data
            got += len(packet.data)
            link.send(frames.tcp(SERVER_ADDR, server.port, frames.ACK, seq, ack + got,
                                 window=3000))
    check(stream == data[:got], "the stream differs")
    link.send(frames.tcp(SERVER_ADDR, server.port, frames.RST, seq))


def test_tcp_syn_flood(lab):
    """Connections to nowhere, 3,000 of them, leave room for one that matters."""
    server = TcpServer(lab, lab.server.tcp_listen(), echo)
    daemon, link = linked(lab)
    for start in range(0, 3000, 100):
        link.send(*[frames.tcp("203.0.113.200", 80, frames.SYN, 1, sport=10000 + i)
                    for i in range(start, start + 100)])
        while link.receive(0):
            pass
    link.alive()
    tcp_connect(link, server.port, 50000)
    check(daemon.running(), "the daemon has ended")


def test_tcp_stale_flows_reset(lab):
    """When the client leaves, its connections end for the servers."""
    server = TcpServer(lab, lab.server.tcp_listen(), echo)
    daemon, link = linked(lab)
    tcp_connect(link, server.port, 41002)
    link.sock.close()
    with connect_when_free(daemon) as again:
        again.send(frames.tcp(SERVER_ADDR, server.port, frames.ACK, 1001, 7, b"x", sport=41002))
        again.expect(lambda p: p.proto == TCP and p.flags & frames.RST, "a reset")
    eventually(lambda: server.resets, 10, "the server sees a reset")


def test_udp_checksum_right(lab):
    """Datagrams for the guest carry right checksums."""
    port_sock = lab.server.udp_socket()
    udp_echo(lab, port_sock)
    _, link = linked(lab)
    link.send(frames.udp(b"odd", SERVER_ADDR, port_sock.getsockname()[1]))
    reply = link.expect(lambda p: p.proto == UDP and p.data == b"odd", "the echo")
    check(reply.ip_ok and reply.l4_ok, "a checksum is wrong")
    check(reply.l4[6:8] != b"\0\0", "no checksum at all")


def test_icmp_id_restored(lab):
    """Echo replies have the guest's id and sequence number."""
    _, link = linked(lab)
    for ident, seq in ((1, 1), (0xffff, 7), (0, 0)):
        link.send(frames.echo_request(SERVER_ADDR, ident, seq))
        reply = link.expect(lambda p: p.proto == ICMP and p.l4[0] == 0, "the echo reply")
        equal(struct.unpack_from("!HH", reply.l4, 4), (ident, seq), "id and sequence number")
        check(frames.checksum(reply.l4) == 0, "the checksum is wrong")
