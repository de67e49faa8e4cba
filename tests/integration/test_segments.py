"""TCP of guests that do it their own way: large and padded frames, small windows, keep-alives."""

import socket

from lab import frames
from lab.checks import check, contains, equal, eventually, raises, within
from lab.frames import ACK, FIN, ICMP, UDP, Link
from lab.hand import Hand
from lab.lab import DNS_ADDR, HOST_ADDR, SERVER_ADDR
from lab.servers import TcpServer, echo, pattern, receive_all, sha256, udp_echo
from lab.streams import Flow, Streams

MSS_1460, WINDOW_SCALE_7 = b"\2\4\5\xb4", b"\1\3\3\7"
OUR_SCALE = 4
IP_NOPS, IP_ROUTER_ALERT = b"\1" * 40, b"\x94\4\0\0"
IP_RECORD_ROUTE = b"\7\x27\4" + bytes(36) + b"\0"


def linked(lab, *args):
    """(daemon, link) with nobody but the test behind the link."""
    daemon = lab.daemon().start(*args)
    return daemon, Link(daemon)


def sink(lab):
    """(port, received) of a server that keeps what each connection brought."""
    received = []
    server = TcpServer(lab, lab.server.tcp_listen(),
                       lambda conn, _peer: received.append(receive_all(conn)))
    return server.port, received


def source(lab, data):
    """The port of a server that sends data and waits for the end."""
    return TcpServer(lab, lab.server.tcp_listen(), lambda conn, _peer: (
        conn.sendall(data), conn.shutdown(socket.SHUT_WR), conn.recv(1))).port


def nothing_sent_again(daemon):
    for name in ("timeouts", "retransmits", "zero-window-probes"):
        equal(daemon.stat(f"tcp.{name}"), 0, f"the counter of {name}")


# Large frames, and other headers.

def check_upload(lab, size, **kwargs):
    """4 MB go to a server in segments of `size` bytes; every byte is taken the first time."""
    daemon, link = linked(lab, "--mtu", 1500)
    port, received = sink(lab)
    data = pattern(4 << 20)
    hand = Hand(link, port, options=MSS_1460 + WINDOW_SCALE_7, scale=OUR_SCALE, **kwargs)
    hand.upload(data, size)
    hand.expect_ack()
    hand.send(b"", FIN)
    eventually(lambda: received, 10, "the server has it all")
    equal(sha256(received[0]), sha256(data), "the checksum")
    for name in ("duplicates", "outside-window", "out-of-order"):
        equal(daemon.stat(f"tcp.{name}"), 0, f"the counter of {name}")


def test_segments_above_the_mtu(lab):
    """A guest with offload sends segments of 9,000 bytes over a link with an MTU of 1,500."""
    check_upload(lab, 9000)


def test_segments_of_64_kib(lab):
    """A guest with offload sends packets of 65,535 bytes over a link with an MTU of 1,500."""
    check_upload(lab, 65535 - 40)


def test_ip_options(lab):
    """Options in the IP header, up to its largest size, are passed over, whatever the protocol."""
    udp = lab.server.udp_socket()
    udp_echo(lab, udp)
    port = TcpServer(lab, lab.server.tcp_listen(), echo).port
    _, link = linked(lab)
    for options in (IP_ROUTER_ALERT, IP_RECORD_ROUTE, IP_NOPS):
        hand = Hand(link, port, ip_options=options)
        hand.send(pattern(1000))
        equal(hand.download(1000, lambda h: h.send(b"")), pattern(1000), "the echo")
        hand.send(b"", FIN)
        link.send(frames.udp(b"datagram", SERVER_ADDR, udp.getsockname()[1], ip_options=options))
        equal(link.expect(lambda p: p.proto == UDP, "the datagram").data, b"datagram", "the echo")
        link.send(frames.echo_request(SERVER_ADDR, 7, 8, ip_options=options))
        reply = link.expect(lambda p: p.proto == ICMP and p.l4[0] == 0, "the echo reply")
        check(reply.l4.endswith(b"payload"), "the echo reply differs")


def test_padding(lab):
    """Bytes behind the packets, in frames short or long, are no part of the stream."""
    port, received = sink(lab)
    _, link = linked(lab)
    for padding in (6, 46, 1400):
        hand = Hand(link, port, padding=b"\xff" * padding)
        hand.send(b"")
        for byte in b"data":
            hand.send(bytes([byte]))
        hand.expect_ack()
        hand.send(b"!", FIN)
        eventually(lambda: received, 10, "the server has it all")
        equal(received.pop(), b"data!", "the stream")


# Small windows.

def test_window_of_256_bytes(lab):
    """A guest with a window of 256 bytes gets a file at the speed of its own ACKs."""
    data = pattern(100000)
    port = source(lab, data)
    daemon, link = linked(lab)
    hand = Hand(link, port, window=256)
    check(hand.download(len(data), lambda h: h.send(b"")) == data, "the stream differs")
    nothing_sent_again(daemon)


def test_window_that_closes(lab):
    """A guest whose window of 256 bytes closes with each segment gets on when it opens again."""
    data = pattern(100000)
    port = source(lab, data)
    daemon, link = linked(lab)

    def close_and_open(hand):
        hand.window = 0
        hand.send(b"")
        hand.window = 256
        hand.send(b"")
    hand = Hand(link, port, window=256)
    check(hand.download(len(data), close_and_open) == data, "the stream differs")
    nothing_sent_again(daemon)


def bulk(lab, size, receive_buffer=None):
    """Data both ways at once between the guest's own stack and a server."""
    listener, streams, sock = lab.server.tcp_listen(), Streams(lab), lab.guest.socket()
    if receive_buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.connect((SERVER_ADDR, listener.getsockname()[1]))
    flow = Flow(streams, sock, listener)
    flow.send_up(pattern(size, 1))
    flow.send_down(pattern(size, 2))
    flow.finish()
    streams.wait(flow.done, 30, "the flow has ended")
    flow.verify()


def test_guest_with_a_small_window(lab):
    """A stack with windows of 256 bytes gets its data without a timeout."""
    daemon = lab.start()
    lab.guest.ip(f"route replace default via {lab.guest.gateway} window 256")
    bulk(lab, 100000, 256)
    check(daemon.stat("tcp.segments-out") > 100000 / 256, "segments larger than the window")
    nothing_sent_again(daemon)


def test_guest_without_window_scaling(lab):
    """A stack without window scaling, without SACK and timestamps too, moves 16 MB each way."""
    daemon = lab.start()
    for name in ("tcp_window_scaling", "tcp_sack", "tcp_timestamps"):
        lab.guest.sysctl(f"ipv4/{name}", 0)
        bulk(lab, 16 << 20)
    nothing_sent_again(daemon)
    equal(daemon.stat("tcp.outside-window"), 0, "segments outside the window")


# Keep-alives.

def test_keepalive_probes(lab):
    """A guest's keep-alive probes, with and without a byte, are answered and are not data."""
    port, received = sink(lab)
    _, link = linked(lab)
    hand = Hand(link, port)
    hand.send(b"before ")
    hand.expect_ack()
    for probe in (b"", b"?", b"", b"?"):
        link.send(hand.segment(ACK, probe, seq=hand.seq - 1))
        hand.expect_ack()
    hand.send(b"and after", FIN)
    eventually(lambda: received, 10, "the server has it all")
    equal(received, [b"before and after"], "the stream")


def test_keepalive_of_the_guest(lab):
    """The guest's stack finds an idle connection alive that its server keeps."""
    daemon = lab.start()
    port = TcpServer(lab, lab.server.tcp_listen(), echo).port
    with lab.guest.tcp_connect(SERVER_ADDR, port) as sock:
        for name in ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT"):
            sock.setsockopt(socket.SOL_TCP, getattr(socket, name), 1)
        before = daemon.stat("tcp.segments-in")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        eventually(lambda: daemon.stat("tcp.segments-in") >= before + 3, 20, "three probes came",
                   interval=0.2)
        sock.sendall(b"alive")
        equal(receive_all(sock, 5), b"alive", "the echo")


def test_keepalive_of_the_host(lab):
    """Connections of both directions ask silent peers for a sign of life; others see none of it."""
    daemon = lab.daemon().start("-t", "2222:22")
    lab.guest.attach(daemon)
    lab.guest.configure()
    port = TcpServer(lab, lab.server.tcp_listen(), echo).port
    TcpServer(lab, lab.guest.tcp_listen(port=22), echo)
    with lab.guest.tcp_connect(SERVER_ADDR, port), \
            lab.server.tcp_connect(HOST_ADDR, 2222) as client:
        client.sendall(b"x")
        receive_all(client, 1)
        for end in (f"dport = :{port}", "sport = :2222"):
            contains(lab.host.run("ss", "-tnoH", "state", "established", end), "timer:(keepalive",
                     f"the connection with {end}")


def test_dead_server(lab):
    """A server that has silently gone is noticed, and the guest told by a reset."""
    for name, value in (("time", 1), ("intvl", 1), ("probes", 2)):
        lab.host.sysctl(f"ipv4/tcp_keepalive_{name}", value)
    lab.start()
    server = TcpServer(lab, lab.server.tcp_listen(), echo)
    with lab.guest.tcp_connect(SERVER_ADDR, server.port) as sock, \
            lab.guest.tcp_connect(DNS_ADDR, server.port) as other:
        lab.router.ip(f"route add blackhole {SERVER_ADDR}")
        with within(20, "the end"), raises(ConnectionResetError, "recv"):
            sock.settimeout(30)
            sock.recv(1)
        other.sendall(b"alive")
        equal(receive_all(other, 5), b"alive", "the echo")
