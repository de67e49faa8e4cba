"""A guest that is itself a router, for a network narrower than the link."""

import netns
from lab.checks import check, equal, eventually
from lab.lab import SERVER_ADDR, SERVER_ADDR6
from lab.node import Node
from lab.servers import TcpServer, pattern, receive_all, sha256

NARROW = 1280
BEHIND_ADDR, BEHIND_ADDR6 = "172.16.0.2", "fd00:16::2"
BULK = 8 << 20


def start(lab):
    """(daemon, node behind the guest): its own interface would take 1,500 bytes, the guest's not."""
    lab.add_ip6()
    behind = Node("behind", lab.folder)
    netns.connect(lab.guest.space, "inner", "172.16.0.1/24", behind.space, "eth0",
                  f"{BEHIND_ADDR}/24")
    for node in lab.guest, behind:
        for setting in "all", "default":
            node.sysctl(f"ipv6/conf/{setting}/disable_ipv6", 0)
    daemon = lab.start(mtu=1500)
    lab.guest.wait_ip6()
    lab.guest.ip(f"link set inner mtu {NARROW}", "addr add fd00:16::1/64 dev inner nodad")
    behind.ip("route add default via 172.16.0.1", f"addr add {BEHIND_ADDR6}/64 dev eth0 nodad",
              "route add default via fd00:16::1")
    # a router takes advertisements no more, but keeps what it has
    lab.guest.sysctl("ipv6/conf/eth0/accept_ra", 2)
    lab.guest.sysctl("ipv4/ip_forward", 1)
    lab.guest.sysctl("ipv6/conf/all/forwarding", 1)
    return daemon, behind


def check_download(lab, addr):
    daemon, behind = start(lab)
    data = pattern(BULK)
    port = TcpServer(lab, lab.server.tcp_listen(addr), lambda conn, _peer: conn.sendall(data)).port
    equal(sha256(receive_all(behind.tcp_connect(addr, port))), sha256(data), "the checksum")
    equal(daemon.stat("path-mtu.lowered"), 1, "the counter of narrower paths")
    equal(daemon.stat("path-mtu.ignored"), 0, "the counter of those that nobody believed")
    equal(daemon.stat("tcp.timeouts"), 0, "the counter of timeouts")


def test_tcp(lab):
    """A download by TCP over IPv4 to a network behind the guest never waits for a timeout."""
    check_download(lab, SERVER_ADDR)


def test_tcp6(lab):
    """A download by TCP over IPv6 to a network behind the guest never waits for a timeout."""
    check_download(lab, SERVER_ADDR6)


def test_udp6(lab):
    """The first datagram over IPv6 that is too large for a network behind the guest is lost, as RFC
    8201 has it; the next ones come."""
    daemon, behind = start(lab)
    server, client = lab.server.udp_socket(SERVER_ADDR6), behind.udp_socket(BEHIND_ADDR6)
    client.sendto(b"hello", server.getsockname()[:2])
    _, peer = server.recvfrom(100)
    large, small = pattern(1400), b"small"
    server.sendto(large, peer)
    server.sendto(small, peer)
    equal(client.recv(2000), small, "what arrives first")
    # which can be there before the guest's word of the large one is with the daemon
    eventually(lambda: daemon.stat("path-mtu.lowered") == 1, what="the path is known to be narrow")
    server.sendto(large, peer)
    check(client.recv(2000) == large, "the second large datagram differs")
    equal(daemon.stat("path-mtu.lowered"), 1, "the counter of narrower paths")
