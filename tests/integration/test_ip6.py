"""IPv6: what a guest finds, and that all works over it as over IPv4."""

import ipaddress
import re
import socket
import struct

from lab import frames
from lab.checks import check, contains, equal, eventually, raises, within
from lab.frames import Link
from lab.lab import (DNS_ADDR6, GUEST_MAC, HOST_ADDR6, PREFIX6, ROUTER_ADDR6, ROUTER_LINK_ADDR6,
                     SERVER_ADDR, SERVER_ADDR6, UNREACHABLE_ADDR6)
from lab.servers import HttpServer, TcpServer, echo, pattern, receive_all, sha256, udp_echo

BULK = 64 << 20
BIG_BUFFER = 16 << 20
# linux/in6.h; the socket module lacks them
IPV6_MTU_DISCOVER, IPV6_MTU, IPV6_RECVERR = 23, 24, 25
IPV6_PMTUDISC_DO = 2
HOP_BY_HOP, ROUTING, FRAGMENT, DESTINATION = 0, 43, 44, 60  # next headers


def start(lab, *args, mtu=65520):
    """A running daemon and a guest with an address of its own making, which is returned."""
    lab.add_ip6()
    lab.start(*args, mtu=mtu)
    return lab.guest.wait_ip6()


def ping(lab, addr, *options, status=0):
    return lab.guest.run("ping", "-6", "-n", "-c3", "-i0.1", "-W5", *options, addr, status=status)


def udp_port(lab, addr=SERVER_ADDR6):
    """(port, peers) of a new echo server, at the one of the server's addresses that it answers from."""
    sock = lab.server.udp_socket(addr, buffer=BIG_BUFFER)
    return sock.getsockname()[1], udp_echo(lab, sock)


def check_datagram(sock, addr, port, size):
    data = pattern(size, seed=size)
    sock.sendto(data, (addr, port))
    answer, sender = sock.recvfrom(1 << 17)
    check(answer == data and sender[:2] == (addr, port), f"the echo of {size} bytes differs")


# What the guest finds.

def from_mac(prefix, mac):
    """The address in a prefix that a MAC address makes (RFC 4291, appendix A)."""
    b = bytearray.fromhex(mac.replace(":", ""))
    b[0] ^= 2
    identifier = bytes(b[:3]) + b"\xff\xfe" + bytes(b[3:])
    return str(ipaddress.IPv6Network(prefix)[int.from_bytes(identifier, "big")])


def test_autoconfiguration(lab):
    """The guest makes an address from the host's prefix; route and MTU are the advertised ones."""
    lab.guest.sysctl("ipv6/conf/default/addr_gen_mode", 0)
    equal(start(lab), from_mac("2001:db8:a::/64", GUEST_MAC), "the guest's address")
    contains(lab.guest.run("ip", "-6", "route"),
             f"default via {ROUTER_LINK_ADDR6} dev eth0 proto ra")
    with lab.guest.space.entered(), open("/proc/sys/net/ipv6/conf/eth0/mtu") as mtu:
        equal(mtu.read().strip(), "65520", "the MTU")


def test_duplicate_address_detection(lab):
    """Detection finds nobody at the guest's own address, and somebody at the router's."""
    lab.add_ip6()
    lab.guest.sysctl("ipv6/conf/default/accept_dad", 1)
    lab.start()
    lab.guest.wait_ip6()
    lab.guest.ip(f"addr add {ROUTER_LINK_ADDR6}/64 dev eth0")
    eventually(lambda: "dadfailed" in lab.guest.run("ip", "addr", "show", "dev", "eth0"), 10,
               "the router's address is known to be taken")


def test_host_without_ip6(lab):
    """A guest of a host without IPv6 is given none."""
    lab.start()
    contains(lab.guest.run("curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}",
                           f"http://{SERVER_ADDR}:{HttpServer(lab, lab.server).port}/10"), "200")
    equal(lab.guest.addresses6(), [], "the guest's IPv6 addresses")


def test_announced_again(lab):
    """A guest that lost its address makes one again as soon as the link is back."""
    lab.add_ip6()
    daemon = lab.start()
    lab.guest.wait_ip6()
    lab.guest.detach()
    lab.guest.attach(daemon)
    lab.guest.wait_ip6()


def test_renumbered_host(lab):
    """When the host's prefix changes, the guest's does, and new connections use it."""
    first = start(lab)
    server = TcpServer(lab, lab.server.tcp_listen("::"), echo)
    lab.router.ip("addr add 2001:db8:d::1/64 dev near nodad")
    lab.host.ip("addr add 2001:db8:d::2/64 dev uplink nodad",
                f"addr del {HOST_ADDR6}/64 dev uplink")
    second = lab.guest.wait_ip6("2001:db8:d:")
    eventually(lambda: "deprecated" in lab.guest.run("ip", "addr", "show", "to", first), 10,
               "the old address is deprecated")
    sock = lab.guest.tcp_connect(SERVER_ADDR6, server.port)
    sock.sendall(b"hello")
    equal(receive_all(sock, 5), b"hello", "the echo")
    equal(sock.getsockname()[0], second, "the guest's source address")
    equal(server.peers[0][0], "2001:db8:d::2", "the host's source address")


def test_ip6_comes_later(lab):
    """A guest gets IPv6 when the host does, and without a new lease or a new link."""
    lab.start()
    equal(lab.guest.addresses6(), [], "the guest's IPv6 addresses")
    lab.add_ip6()
    lab.guest.wait_ip6()
    contains(ping(lab, SERVER_ADDR6), "3 received")


# ICMPv6.

def test_ping(lab):
    """Server, router and its link-local address answer; data of 0 to 65,000 bytes comes back."""
    start(lab)
    for addr in SERVER_ADDR6, ROUTER_ADDR6, f"{ROUTER_LINK_ADDR6}%eth0":
        contains(ping(lab, addr), "3 received", f"ping {addr}")
    for size in (0, 1452, 9000, 65000):
        output = ping(lab, SERVER_ADDR6, "-s", size)
        contains(output, "3 received", f"ping -s {size}")
        check("wrong data" not in output, f"ping -s {size} returned other data: {output}")


def test_ping_fragmented(lab):
    """An echo request that the guest has to fragment comes back."""
    start(lab, mtu=1500)
    contains(ping(lab, SERVER_ADDR6, "-s", 4000), "3 received")


def test_ping_errors(lab):
    """Unreachable networks and dying packets are told at once."""
    start(lab)
    with within(15, "both pings"):
        contains(ping(lab, UNREACHABLE_ADDR6, status=1), "nreachable")
        contains(ping(lab, SERVER_ADDR6, "-t", "1", status=1), "Time exceeded")


def test_ping_path_mtu(lab):
    """Too large an echo request is told the path's MTU."""
    lab.router.ip("link set far mtu 1280")
    start(lab)
    contains(ping(lab, SERVER_ADDR6, "-M", "do", "-s", "1400", status=1), "mtu=1280")


def hops(output):
    return re.findall(r"^ *(\d+) +([0-9a-f:]+)", output, re.M)


def test_traceroute(lab):
    """traceroute by UDP and by echo shows the router, then the server."""
    start(lab)
    for options in [], ["-I"]:
        output = lab.guest.run("traceroute", "-6", "-n", "-w5", "-q1", *options, SERVER_ADDR6)
        equal(hops(output), [("1", ROUTER_ADDR6), ("2", SERVER_ADDR6)], f"the route in {output}")


# UDP.

def test_udp_sizes(lab):
    """Datagrams of 0 to 65,527 bytes go and come."""
    start(lab)
    port, _ = udp_port(lab)
    sock = lab.guest.udp_socket("::", buffer=BIG_BUFFER)
    for size in (0, 1, 1452, 1453, 9000, 65472, 65473, 65527):
        check_datagram(sock, SERVER_ADDR6, port, size)


def test_udp_sizes_fragmented(lab):
    """Datagrams that the guest has to fragment go and come."""
    start(lab, mtu=1500)
    port, _ = udp_port(lab)
    sock = lab.guest.udp_socket("::", buffer=BIG_BUFFER)
    for size in (0, 1452, 1453, 9000, 65527):
        check_datagram(sock, SERVER_ADDR6, port, size)


def test_udp_port_unreachable(lab):
    """The error of a closed port reaches the guest's socket."""
    start(lab)
    sock = lab.guest.udp_socket("::")
    sock.connect((SERVER_ADDR6, 9))
    sock.send(b"anybody there?")
    with within(5), raises(ConnectionRefusedError, "recv"):
        sock.recv(100)


def test_udp_path_mtu(lab):
    """The guest learns the path's MTU, and datagrams that may be fragmented still arrive."""
    lab.router.ip("link set far mtu 1280")
    lab.server.ip("link set eth0 mtu 1280")
    start(lab)
    port, _ = udp_port(lab)
    sock = lab.guest.udp_socket("::", buffer=BIG_BUFFER)
    sock.setsockopt(socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DO)
    sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
    sock.connect((SERVER_ADDR6, port))
    sock.send(bytes(1400))
    with within(5), raises(OSError, "recv"):
        sock.recv(2000)
        raise AssertionError("a datagram came")
    equal(sock.getsockopt(socket.IPPROTO_IPV6, IPV6_MTU), 1280, "the path MTU")
    check_datagram(lab.guest.udp_socket("::", buffer=BIG_BUFFER), SERVER_ADDR6, port, 4000)


def test_path_mtu_again(lab):
    """A guest that forgot the path's MTU is told again, though the host knows it by now."""
    lab.router.ip("link set far mtu 1280")
    lab.server.ip("link set eth0 mtu 1280")
    start(lab)
    for _ in range(2):
        sock = lab.guest.udp_socket("::")
        sock.setsockopt(socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DO)
        sock.connect((SERVER_ADDR6, 9))
        sock.send(bytes(1400))
        with within(5), raises(OSError, "recv"):
            sock.recv(2000)
        equal(sock.getsockopt(socket.IPPROTO_IPV6, IPV6_MTU), 1280, "the path MTU")
        contains(ping(lab, SERVER_ADDR6, "-M", "do", "-s", "1400", status=1), "mtu")
        lab.guest.run("ip", "-6", "route", "flush", "cache")


def test_hop_limit_and_traffic_class(lab):
    """Hop limit, DSCP and ECN of the guest's datagrams reach the network."""
    start(lab)
    server = lab.server.udp_socket("::")
    server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
    server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
    sock = lab.guest.udp_socket("::")
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, 0xb9)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, 33)
    sock.sendto(b"marked", (SERVER_ADDR6, server.getsockname()[1]))
    _, control, _, _ = server.recvmsg(100, 200)
    values = {kind: struct.unpack("i", data)[0] for _, kind, data in control}
    equal(values, {socket.IPV6_TCLASS: 0xb9, socket.IPV6_HOPLIMIT: 32}, "what arrived")


def test_extension_headers(lab):
    """Datagrams behind options, a routing header at its end and fragment headers arrive."""
    lab.add_ip6()
    link = Link(lab.daemon().start())
    server = lab.server.udp_socket(SERVER_ADDR6)
    guest = f"{PREFIX6}:77"

    def options(following):
        return bytes([following, 0, 1, 4, 0, 0, 0, 0])

    def fragment(following, offset=0, more=False):
        return struct.pack("!BBHI", following, 0, offset | more, 7)

    for number, packets in enumerate((
            lambda d: [(HOP_BY_HOP, options(frames.UDP) + d)],
            lambda d: [(DESTINATION, options(ROUTING) + bytes([frames.UDP]) + bytes(7) + d)],
            lambda d: [(FRAGMENT, fragment(DESTINATION) + options(frames.UDP) + d)],  # atomic
            lambda d: [(FRAGMENT, fragment(DESTINATION, 24) + d[16:]),
                       (FRAGMENT, fragment(DESTINATION, 0, True) + options(frames.UDP) + d[:16])])):
        data = pattern(100, seed=number)
        datagram = struct.pack("!4H", 5000, server.getsockname()[1], 8 + len(data), 0) + data
        datagram = frames.transport(frames.UDP, datagram, guest, SERVER_ADDR6, 6)
        link.send(*(frames.ip6(first, body, SERVER_ADDR6, guest) for first, body in packets(datagram)))
        check(server.recvfrom(1000)[0] == data, f"the datagram of case {number} differs")


# TCP.

def transfer(lab, mtu):
    start(lab, mtu=mtu)
    server = HttpServer(lab, lab.server, "::")
    url = f"http://[{SERVER_ADDR6}]:{server.port}/"
    target, source = lab.folder / "download", lab.folder / "upload"
    source.write_bytes(pattern(BULK))
    lab.guest.run("curl", "-sS", "-o", target, f"{url}{BULK}")
    equal(sha256(target.read_bytes()), sha256(pattern(BULK)), "the checksum of the download")
    lab.guest.run("curl", "-sS", "-T", source, url)
    equal(server.received, [sha256(pattern(BULK))], "the checksum of the upload")


def test_tcp_bulk(lab):
    """64 MB come and go unchanged."""
    transfer(lab, 65520)


def test_tcp_bulk_mtu_1500(lab):
    """64 MB come and go unchanged with Ethernet's MTU."""
    transfer(lab, 1500)


def test_tcp_refused_and_unreachable(lab):
    """A closed port and an unreachable network are told at once."""
    start(lab)
    with within(5), raises(ConnectionRefusedError, "connect"):
        lab.guest.tcp_connect(SERVER_ADDR6, 9)
    with within(5), raises(OSError, "connect"):
        lab.guest.tcp_connect(UNREACHABLE_ADDR6, 9)
        raise AssertionError("connected")


def test_tcp_path_mtu(lab):
    """A connection through a path of 1,280 bytes carries bulk both ways."""
    lab.router.ip("link set far mtu 1280")
    lab.server.ip("link set eth0 mtu 1280")
    start(lab)
    server = TcpServer(lab, lab.server.tcp_listen("::"), echo)
    sock = lab.guest.tcp_connect(SERVER_ADDR6, server.port)
    data = pattern(1 << 20)
    lab.thread(sock.sendall, data)
    check(receive_all(sock, len(data)) == data, "the echo differs")


def test_router_is_host_loopback(lab):
    """The router's link-local address leads to services on the host's loopback."""
    start(lab)
    server = TcpServer(lab, lab.host.tcp_listen("::1"), echo)
    scope = int(lab.guest.run("cat", "/sys/class/net/eth0/ifindex"))
    sock = lab.guest.socket(family=socket.AF_INET6)
    sock.connect((ROUTER_LINK_ADDR6, server.port, 0, scope))
    sock.sendall(b"hello")
    equal(receive_all(sock, 5), b"hello", "the echo")
    equal(server.peers[0][0], "::1", "the client's address on the host")


def test_source_address(lab):
    """The server sees the host's address."""
    start(lab)
    server = TcpServer(lab, lab.server.tcp_listen("::"), echo)
    sock = lab.guest.tcp_connect(SERVER_ADDR6, server.port)
    sock.sendall(b"hello")
    receive_all(sock, 5)
    equal(server.peers[0][0], HOST_ADDR6, "the client's address")


def test_privacy_addresses(lab):
    """A guest that uses several addresses is answered at each."""
    lab.guest.sysctl("ipv6/conf/default/use_tempaddr", 2)
    first = start(lab)
    lab.guest.ip(f"addr add {PREFIX6}:77/64 dev eth0 nodad")
    port, _ = udp_port(lab)
    addresses = lab.guest.addresses6()
    check(len(addresses) >= 3 and first in addresses, f"addresses are {addresses}")
    for addr in addresses:
        check_datagram(lab.guest.udp_socket(addr), SERVER_ADDR6, port, 100)


# Names.

def test_names(lab):
    """The resolver is reached over IPv6, by UDP and by TCP, and the fetch it is for too."""
    lab.add_ip6()
    lab.host.resolv_conf(f"nameserver {DNS_ADDR6}\n")
    lab.name_server(DNS_ADDR6, "www.lab.example. 60 AAAA " + SERVER_ADDR6 + "\n")
    lab.start()
    lab.guest.wait_ip6()
    lab.guest.resolv_conf(f"nameserver {DNS_ADDR6}\n")
    for options in [], ["+tcp"]:
        equal(lab.guest.run("dig", "+short", "+tries=1", *options, "www.lab.example", "AAAA").strip(),
              SERVER_ADDR6, "the answer")
    port = HttpServer(lab, lab.server, "::").port
    equal(lab.guest.run("curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}",
                        f"http://www.lab.example:{port}/10"), "200", "the status of the fetch")
