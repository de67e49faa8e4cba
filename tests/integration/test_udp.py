"""UDP: sizes, bursts, ports, and the errors of the network."""

import array
import fcntl
import json
import select
import socket
import struct

from lab.checks import Skip, check, deadline, equal, raises, within
from lab.daemon import tool_path
from lab.lab import ROUTER_ADDR, SERVER_ADDR, UNREACHABLE_ADDR
from lab.servers import pattern, udp_echo

BIG_BUFFER = 16 << 20
# linux/in.h; the socket module lacks them
IP_MTU_DISCOVER, IP_RECVERR, IP_MTU = 10, 11, 14
IP_PMTUDISC_DO = 2
# linux/sockios.h, linux/ethtool.h
SIOCETHTOOL, ETHTOOL_STXCSUM = 0x8946, 0x17


def echo_port(lab, node=None, addr="0.0.0.0"):
    """(port, peers) of a new echo server."""
    sock = (node or lab.server).udp_socket(addr, buffer=BIG_BUFFER)
    return sock.getsockname()[1], udp_echo(lab, sock)


def check_echo(sock, peer, size):
    data = pattern(size, seed=size)
    sock.sendto(data, peer)
    answer, sender = sock.recvfrom(1 << 17)
    check(answer == data and sender == peer, f"the echo of {size} bytes differs")


def warm_up(lab, port):
    """One exchange, so that no ARP lookup on the way is open: few packets wait for one."""
    check_echo(lab.guest.udp_socket(), (SERVER_ADDR, port), 1)


def test_sizes(lab):
    """Datagrams of 0 to 65,507 bytes go and come."""
    lab.start()
    port, _ = echo_port(lab)
    sock = lab.guest.udp_socket(buffer=BIG_BUFFER)
    for size in (0, 1, 1472, 1473, 9000, 65492, 65493, 65507):
        check_echo(sock, (SERVER_ADDR, port), size)


def test_sizes_fragmented(lab):
    """Datagrams that the guest has to fragment go and come."""
    lab.start(mtu=1500)
    port, _ = echo_port(lab)
    sock = lab.guest.udp_socket(buffer=BIG_BUFFER)
    for size in (0, 1472, 1473, 9000, 65507):
        check_echo(sock, (SERVER_ADDR, port), size)


def no_checksum_offload(node, interface):
    """As `ethtool -K INTERFACE tx off`."""
    with node.socket(socket.SOCK_DGRAM) as sock:
        value = array.array("I", [ETHTOOL_STXCSUM, 0])
        request = struct.pack("16sP", interface.encode(), value.buffer_info()[0])
        fcntl.ioctl(sock, SIOCETHTOOL, request.ljust(40, b"\0"))


def test_device_without_offload(lab):
    """What leaves in runs arrives, also where the device cannot compute checksums."""
    no_checksum_offload(lab.host, "uplink")
    daemon = lab.start()
    port, _ = echo_port(lab)
    warm_up(lab, port)
    sock = lab.guest.udp_socket(buffer=BIG_BUFFER)
    for size in (64, 1400):
        sent = [number.to_bytes(4, "big") * (size // 4) for number in range(200)]
        for data in sent:
            sock.sendto(data, (SERVER_ADDR, port))
        equal([sock.recv(2000) for _ in sent], sent, f"the answers of {size} bytes")
    equal(daemon.stat("drop.host-send"), 0, "what the host refused to send")


def test_burst(lab):
    """None of 1,000 datagrams sent without a pause is lost, there or back."""
    lab.start()
    port, _ = echo_port(lab)
    warm_up(lab, port)
    lab.guest.ip("link set eth0 txqueuelen 4000")  # the TAP's own queue holds 500
    sock = lab.guest.udp_socket(buffer=BIG_BUFFER)
    if sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) < BIG_BUFFER:
        raise Skip("a buffer for 1,000 datagrams takes root outside a user namespace")
    expected = {b"%04d" % number + bytes(96) for number in range(1000)}
    for data in sorted(expected):
        sock.sendto(data, (SERVER_ADDR, port))
    received = set()
    while len(received) < 1000:
        if not select.select([sock], [], [], 5)[0]:
            break
        received.add(sock.recv(1000))
    equal(len(received & expected), 1000, "datagrams that came back")


def test_burst_to_guest(lab):
    """None of 1,000 full-sized datagrams that a server sends without a pause is lost."""
    lab.start()
    lab.guest.ip("link set eth0 txqueuelen 4000")
    server = lab.server.udp_socket()
    sock = lab.guest.udp_socket(buffer=BIG_BUFFER)
    sock.sendto(b"begin", (SERVER_ADDR, server.getsockname()[1]))
    _, client = server.recvfrom(100)
    for number in range(1000):
        server.sendto(b"%04d" % number + bytes(1396), client)
    received = set()
    while len(received) < 1000 and select.select([sock], [], [], 5)[0]:
        received.add(sock.recv(2000)[:4])
    equal(len(received), 1000, "datagrams that came")


def test_source_port_kept(lab):
    """The server sees the guest's source port."""
    lab.start()
    port, peers = echo_port(lab)
    sock = lab.guest.udp_socket(port=4500)
    check_echo(sock, (SERVER_ADDR, port), 100)
    equal(peers[0][1], 4500, "the source port")


def test_source_port_taken(lab):
    """A source port that the host uses itself is no obstacle."""
    with_port = lab.host.udp_socket(port=4501)
    lab.start()
    port, _ = echo_port(lab)
    check_echo(lab.guest.udp_socket(port=4501), (SERVER_ADDR, port), 100)
    with_port.close()


def test_only_the_peer_answers(lab):
    """A stranger's datagram to the flow's port does not reach the guest."""
    lab.start()
    port, peers = echo_port(lab)
    sock = lab.guest.udp_socket()
    check_echo(sock, (SERVER_ADDR, port), 100)
    stranger = lab.server.udp_socket()
    stranger.sendto(b"stranger", peers[0])
    check_echo(sock, (SERVER_ADDR, port), 101)


def test_many_flows(lab):
    """300 sockets at once each get their own echo."""
    lab.start()
    port, _ = echo_port(lab)
    warm_up(lab, port)
    socks = [lab.guest.udp_socket() for _ in range(300)]
    for number, sock in enumerate(socks):
        sock.sendto(b"%d" % number, (SERVER_ADDR, port))
    for number, sock in enumerate(socks):
        equal(sock.recv(100), b"%d" % number, "the echo")


def test_gateway_is_host_loopback(lab):
    """A datagram to the gateway reaches the host's loopback, and its answer the guest."""
    lab.start()
    port, peers = echo_port(lab, lab.host, "127.0.0.1")
    check_echo(lab.guest.udp_socket(), (ROUTER_ADDR, port), 100)
    equal(peers[0][0], "127.0.0.1", "the client's address on the host")


def test_port_unreachable(lab):
    """The error of a closed port reaches the guest's socket."""
    lab.start()
    sock = lab.guest.udp_socket()
    sock.connect((SERVER_ADDR, 9))
    sock.send(b"anybody there?")
    with within(5), raises(ConnectionRefusedError, "recv"):
        sock.recv(100)


def test_host_unreachable(lab):
    """The router's "unreachable" reaches the guest's socket."""
    lab.start()
    sock = lab.guest.udp_socket()
    sock.connect((UNREACHABLE_ADDR, 9))
    sock.setsockopt(socket.SOL_IP, IP_RECVERR, 1)  # reports soft errors too
    sock.send(b"anybody there?")
    with within(5), raises(OSError, "recv"):
        sock.recv(100)
        raise AssertionError("a datagram came")


def test_prohibited(lab):
    """What the host's own routes prohibit is told to the guest's socket at once."""
    lab.host.ip("route add prohibit 198.51.100.77/32")
    lab.start()
    sock = lab.guest.udp_socket()
    sock.connect(("198.51.100.77", 9))
    sock.setsockopt(socket.SOL_IP, IP_RECVERR, 1)
    sock.send(b"anybody there?")
    with within(5), raises(OSError, "recv"):
        sock.recv(100)
        raise AssertionError("a datagram came")


def test_path_mtu(lab):
    """The guest learns the path's MTU, and datagrams that may be fragmented still arrive."""
    lab.router.ip("link set far mtu 1280")
    lab.server.ip("link set eth0 mtu 1280")
    lab.start()
    port, _ = echo_port(lab)
    sock = lab.guest.udp_socket(buffer=BIG_BUFFER)
    sock.setsockopt(socket.SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO)
    sock.connect((SERVER_ADDR, port))
    sock.send(bytes(1400))
    with within(5), raises(OSError, "recv"):
        sock.recv(2000)
        raise AssertionError("a datagram came")
    equal(sock.getsockopt(socket.SOL_IP, IP_MTU), 1280, "the path MTU")
    check_echo(lab.guest.udp_socket(buffer=BIG_BUFFER), (SERVER_ADDR, port), 4000)


def test_address_of_a_stopped_service(lab):
    """When the guest's socket is gone, the peer's next datagrams are refused by the host."""
    lab.start()
    server = lab.server.udp_socket()
    sock = lab.guest.udp_socket()
    sock.sendto(b"begin", (SERVER_ADDR, server.getsockname()[1]))
    _, client = server.recvfrom(100)
    sock.close()
    server.connect(client)
    with within(5), raises(ConnectionRefusedError, "send"):
        while True:
            server.send(b"still there?")
            select.select([], [], [], 0.05)


@deadline(90)
def test_iperf3(lab):
    """iperf3 by UDP moves datagrams both ways."""
    lab.start()
    lab.server.spawn("iperf3", "-s", log="iperf3.log")
    lab.server.wait_listening(5201)
    for options in ([], ["-R"]):
        result = json.loads(lab.guest.run("iperf3", "-J", "-u", "-b20M", "-l1200", "-t2", "-i0.5",
                                          "-c", SERVER_ADDR, *options))
        check("error" not in result, result.get("error"))
        for interval in result["intervals"][:4]:
            check(interval["sum"]["bytes"] > 0, f"an interval of {options} without a byte")
        total = result["end"]["sum"]
        # On a busy machine the queues on the way may overflow now and then.
        check(total["lost_packets"] * 2 < total["packets"], f"lost: {total}")


def test_request_response(lab):
    """A second of ping-pong on one socket loses nothing."""
    lab.start()
    tool = tool_path("rr")
    lab.server.spawn(tool, "server", SERVER_ADDR, 7000, log="rr.log")
    lab.server.wait_listening(7000, "udp")
    result = json.loads(lab.guest.run(tool, "urr", SERVER_ADDR, 7000, 1, 64))
    equal(result["errors"], 0, "errors")
    check(result["n"] > 50, f"only {result['n']} exchanges in a second")
