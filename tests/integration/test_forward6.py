"""Port forwards over IPv6, and for clients of both families."""

import socket

from lab.checks import check, equal, raises, within
from lab.lab import (HOST_ADDR, HOST_ADDR6, ROUTER_ADDR, ROUTER_LINK_ADDR6,
                     SERVER_ADDR, SERVER_ADDR6)
from lab.servers import TcpServer, echo, pattern, receive_all, udp_echo

SECOND_ADDR6 = "2001:db8:a::44"
BIG_BUFFER = 16 << 20
# linux/in.h; the socket module lacks some of them
IP_RECVTTL, IP_RECVTOS = 12, 13
IPV6_MTU_DISCOVER, IPV6_MTU = 23, 24
IPV6_PMTUDISC_WANT, IPV6_PMTUDISC_DO = 1, 2
RECEIVE_HEADER = {socket.IPPROTO_IP: (IP_RECVTTL, IP_RECVTOS),
                  socket.IPPROTO_IPV6: (socket.IPV6_RECVHOPLIMIT, socket.IPV6_RECVTCLASS)}


def start(lab, *args):
    """A running daemon and a guest with an address of its own making, which is returned."""
    lab.add_ip6()
    return start_with_ip6(lab, *args)


def start_with_ip6(lab, *args):
    # a guest that has sent nothing yet is known from its detection of duplicate addresses
    lab.guest.sysctl("ipv6/conf/default/accept_dad", 1)
    lab.start(*args)
    return lab.guest.wait_ip6()


def guest_echo(lab, port=22):
    """An echo server in the guest, for both families."""
    return TcpServer(lab, lab.guest.tcp_listen("::", port), echo)


def guest_udp_echo(lab, port=22):
    return udp_echo(lab, lab.guest.udp_socket("::", port, buffer=BIG_BUFFER))


def check_tcp(node, port, addr=HOST_ADDR6, source=None):
    """A connection from the node to the forwarded port echoes; returns the client's port."""
    with node.tcp_connect(addr, port, source=source) as sock:
        sock.sendall(b"through the gate")
        equal(receive_all(sock, 16), b"through the gate", f"the echo of {addr}, port {port}")
        return sock.getsockname()[1]


def check_udp(node, port, addr=HOST_ADDR6, source=("::", 0), size=16):
    """A datagram from the node to the forwarded port echoes; returns the client's port."""
    with node.udp_socket(*source, buffer=BIG_BUFFER) as sock:
        sock.sendto(pattern(size), (addr, port))
        data, sender = sock.recvfrom(1 << 17)
        check(data == pattern(size), f"the echo of {size} bytes differs")
        equal(sender[:2], (addr, port), "who answered")
        return sock.getsockname()[1]


def check_closed(node, port, addr=HOST_ADDR6):
    with raises(ConnectionRefusedError, f"connect to {addr}, port {port}"), within(2):
        node.tcp_connect(addr, port)


def ends(peers):
    """Address and port of each."""
    return [peer[:2] for peer in peers]


def test_both_families(lab):
    """The guest sees the true address and port of clients of both families."""
    start(lab, "-t", "2222:22", "-u", "2222:22")
    tcp, udp = guest_echo(lab), guest_udp_echo(lab)
    clients = [(SERVER_ADDR6, check_tcp(lab.server, 2222, source=(SERVER_ADDR6, 0))),
               ("::ffff:" + SERVER_ADDR, check_tcp(lab.server, 2222, HOST_ADDR))]
    equal(ends(tcp.peers), clients, "the TCP clients that the guest saw")
    clients = [(SERVER_ADDR6, check_udp(lab.server, 2222, source=(SERVER_ADDR6, 0))),
               ("::ffff:" + SERVER_ADDR, check_udp(lab.server, 2222, HOST_ADDR, ("0.0.0.0", 0)))]
    equal(ends(udp), clients, "the UDP clients that the guest saw")


def test_udp_sizes(lab):
    """Datagrams of 0 to 65,527 bytes go in through a forward and come back."""
    start(lab, "-u", "2222:22")
    guest_udp_echo(lab)
    for size in (0, 1, 1452, 1453, 9000, 65527):
        check_udp(lab.server, 2222, size=size)


def test_ip_header(lab):
    """TTL, DSCP and ECN of datagrams go through a forward both ways, of both families."""
    start(lab, "-u", "2222:22")
    guest = lab.guest.udp_socket("::", 22)
    for level, ttl, tos, to, addr in (
            (socket.IPPROTO_IP, socket.IP_TTL, socket.IP_TOS, HOST_ADDR, "0.0.0.0"),
            (socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, socket.IPV6_TCLASS, HOST_ADDR6, "::")):
        client = lab.server.udp_socket(addr)
        for sock, number in (client, 40), (guest, 50):
            for option in RECEIVE_HEADER[level]:
                sock.setsockopt(level, option, 1)
            sock.setsockopt(level, ttl, number)
            sock.setsockopt(level, tos, number * 4 + 1)
        client.sendto(b"question", (to, 2222))
        header, peer = receive_header(guest)
        equal(header, {39, 161}, f"TTL and TOS from {to} that the guest saw")
        guest.sendto(b"answer", peer)
        header, _ = receive_header(client)
        equal(header, {49, 201}, f"TTL and TOS of the answer to {to}")


def receive_header(sock):
    """Hop limit and traffic class of the next datagram, and who sent it."""
    _, control, _, peer = sock.recvmsg(100, 200)
    return {int.from_bytes(data, "little") for _, _, data in control}, peer


def test_udp_client_gone(lab):
    """The error of a client's closed port reaches the guest's socket, of either family."""
    start(lab, "-u", "2222:22")
    for addr, source in (HOST_ADDR6, "::"), (HOST_ADDR, "0.0.0.0"):
        with lab.guest.udp_socket("::", 22) as server:
            with lab.server.udp_socket(source) as client:
                client.sendto(b"question", (addr, 2222))
                _, peer = server.recvfrom(100)
            server.connect(peer)
            server.send(b"answer")
            with within(5), raises(ConnectionRefusedError, f"recv after a client of {addr}"):
                server.recv(100)


def test_udp_client_gone_in_the_other_family(lab):
    """A guest that does without IPv6 is told of a client of IPv6 as well."""
    lab.add_ip6()
    lab.guest.sysctl("ipv6/conf/default/disable_ipv6", 1)
    lab.start("-u", "2222:22")
    lab.guest.run("ping", "-c1", ROUTER_ADDR)
    server = lab.guest.udp_socket(port=22)
    with lab.server.udp_socket("::") as client:
        client.sendto(b"question", (HOST_ADDR6, 2222))
        _, peer = server.recvfrom(100)
    server.connect(peer)
    server.send(b"answer")
    with within(5), raises(ConnectionRefusedError, "recv"):
        server.recv(100)


def test_udp_path_mtu(lab):
    """Answers that must not be fragmented show the guest the path's MTU; others arrive."""
    lab.router.ip("link set far mtu 1280")
    lab.server.ip("link set eth0 mtu 1280")
    start(lab, "-u", "2222:22")
    client = lab.server.udp_socket("::", buffer=BIG_BUFFER)
    for size in 4000, 1400:  # the host knows the path the second time
        with lab.guest.udp_socket("::", 22) as server:
            client.sendto(b"question", (HOST_ADDR6, 2222))
            _, peer = server.recvfrom(100)
            server.setsockopt(socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DO)
            server.connect(peer)
            server.send(bytes(1400))
            with within(5), raises(OSError, "recv"):
                server.recv(2000)
                raise AssertionError("a datagram came")
            equal(server.getsockopt(socket.IPPROTO_IPV6, IPV6_MTU), 1280, "the path MTU")
            server.setsockopt(socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_WANT)
            server.send(pattern(size))
            equal(client.recv(1 << 16), pattern(size), "the answer that may be fragmented")
        lab.guest.run("ip", "-6", "route", "flush", "cache")


def test_bulk(lab):
    """64 MB go in through a forward and come back unchanged."""
    start(lab, "-t", "2222:22")
    guest_echo(lab)
    data = pattern(64 << 20)
    with lab.server.tcp_connect(HOST_ADDR6, 2222, timeout=30) as sock:
        lab.thread(lambda: (sock.sendall(data), sock.shutdown(socket.SHUT_WR)))
        check(receive_all(sock) == data, "the data differ")


def test_second_address(lab):
    """A client of another of the host's addresses is answered from that address."""
    lab.host.ip("addr add 192.0.2.44/24 dev uplink")
    lab.add_ip6()
    lab.host.ip(f"addr add {SECOND_ADDR6}/64 dev uplink nodad")
    start_with_ip6(lab, "-t", "2222:22", "-u", "2222:22")
    guest_echo(lab)
    guest_udp_echo(lab)
    for addr in HOST_ADDR6, SECOND_ADDR6:
        check_tcp(lab.server, 2222, addr)
        check_udp(lab.server, 2222, addr)
    for addr in HOST_ADDR, "192.0.2.44":
        check_udp(lab.server, 2222, addr, ("0.0.0.0", 0))


def test_loopback_client(lab):
    """A client on the host's ::1 appears as the gateway."""
    start(lab, "-t", "2222:22", "-u", "2222:22")
    tcp, udp = guest_echo(lab), guest_udp_echo(lab)
    port = check_tcp(lab.host, 2222, "::1")
    equal(ends(tcp.peers), [(ROUTER_LINK_ADDR6, port)], "the TCP client")
    port = check_udp(lab.host, 2222, "::1")
    equal(ends(udp), [(ROUTER_LINK_ADDR6, port)], "the UDP client")


def test_one_family(lab):
    """Any address of a family is a forward for that family, and both can have the same port."""
    lab.add_ip6()
    daemon = lab.daemon().start("-t", "0.0.0.0/2222:22,2223:22", "-t", "::/2222:23,2224:23")
    lab.guest.attach(daemon)
    lab.guest.configure()
    lab.guest.wait_ip6()
    four, six = guest_echo(lab, 22), guest_echo(lab, 23)
    check_tcp(lab.server, 2222, HOST_ADDR)
    check_tcp(lab.server, 2222, HOST_ADDR6)
    equal((len(four.peers), len(six.peers)), (1, 1), "the clients of either")
    check_closed(lab.server, 2223, HOST_ADDR6)
    check_closed(lab.server, 2224, HOST_ADDR)


def test_address(lab):
    """A forward bound to an address serves that address only."""
    start(lab, "-t", "::1/2222:22", "-t", f"[{HOST_ADDR6}]%uplink/2223:22")
    guest_echo(lab)
    check_tcp(lab.host, 2222, "::1")
    check_tcp(lab.server, 2223)
    check_closed(lab.server, 2222)
    check_closed(lab.server, 2223, HOST_ADDR)


def check_link_local(lab, addr, port):
    """A TCP and a UDP client of the router's get their echoes from this address of the host's link."""
    with lab.router.space.entered():
        index = socket.if_nametoindex("near")
    for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM:
        with lab.router.socket(kind, family=socket.AF_INET6) as sock:
            sock.bind((ROUTER_LINK_ADDR6, 0, 0, index))
            sock.connect((addr, port, 0, index))
            sock.sendall(b"hello")
            equal(sock.recv(100), b"hello", "the echo")


def test_multicast(lab):
    """A client that sends to all nodes of the link is answered from an address of the host's."""
    lab.add_ip6()
    lab.host.ip("addr add fe80::2222/64 dev uplink nodad")
    lab.start("-u", "2222:22")
    lab.guest.wait_ip6()
    guest_udp_echo(lab)
    with lab.router.space.entered():
        index = socket.if_nametoindex("near")
    with lab.router.socket(socket.SOCK_DGRAM, family=socket.AF_INET6) as sock:
        sock.sendto(b"hello", ("ff02::1", 2222, 0, index))
        data, sender = sock.recvfrom(100)
        equal(data, b"hello", "the echo")
        check(sender[0].startswith("fe80::"), f"the answer comes from {sender}")


def test_link_local_client(lab):
    """A link-local client is answered on its link, and leads to the guest's link-local address."""
    lab.add_ip6()
    lab.host.ip("addr add fe80::2222/64 dev uplink nodad")
    lab.start("-t", "2222:22", "-u", "2222:22", "-t", "fe80::2222%uplink/2223:22",
              "-u", "[fe80::2222]%uplink/2223:22")
    lab.guest.wait_ip6()
    tcp, udp = guest_echo(lab), guest_udp_echo(lab)
    check_link_local(lab, "fe80::2222", 2222)
    check_link_local(lab, "fe80::2222", 2223)
    equal({addr for addr, _port in ends(tcp.peers + udp)}, {ROUTER_LINK_ADDR6},
          "the client's address")


def test_guest_address(lab):
    """An address of the guest's that is given is where clients of both families go."""
    lab.add_ip6()
    lab.start("-t", "2222:[2001:db8:a::77]/22", "-t", f"2223:{HOST_ADDR}/22")
    lab.guest.wait_ip6()
    lab.guest.ip("addr add 2001:db8:a::77/64 dev eth0 nodad")
    server = TcpServer(lab, lab.guest.tcp_listen("2001:db8:a::77", 22), echo)
    check_tcp(lab.server, 2222, source=(SERVER_ADDR6, 0))
    check_tcp(lab.server, 2222, HOST_ADDR)
    equal([addr for addr, _port in ends(server.peers)],
          [SERVER_ADDR6, ROUTER_LINK_ADDR6], "the clients' addresses")
    server = TcpServer(lab, lab.guest.tcp_listen("0.0.0.0", 22), echo)
    check_tcp(lab.server, 2223)
    check_tcp(lab.server, 2223, HOST_ADDR)
    equal([addr for addr, _port in server.peers], [ROUTER_ADDR, SERVER_ADDR],
          "the clients' addresses")


def test_guest_without_ip6(lab):
    """A guest that does without IPv6 gets such clients over IPv4, from the gateway, each its own."""
    lab.add_ip6()
    lab.guest.sysctl("ipv6/conf/default/disable_ipv6", 1)
    lab.start("-t", "2222:22", "-u", "2222:22")
    tcp = TcpServer(lab, lab.guest.tcp_listen(port=22), echo)
    udp = udp_echo(lab, lab.guest.udp_socket(port=22))
    lab.guest.run("ping", "-c1", ROUTER_ADDR)
    with within(10, "all of it"):
        socks = [node.tcp_connect(HOST_ADDR6, 2222, source=("::", 5000))
                 for node in (lab.server, lab.router)]
        for number, sock in enumerate(socks):
            sock.sendall(b"client %d" % number)
        for number, sock in enumerate(socks):
            equal(receive_all(sock, 8), b"client %d" % number, "the echo")
            sock.close()
        check_tcp(lab.host, 2222, "::1")
        for node in lab.server, lab.router, lab.server:
            check_udp(node, 2222, source=("::", 5000))
    equal({addr for addr, _port in tcp.peers + udp}, {ROUTER_ADDR}, "the addresses that the guest saw")
    equal(len({port for _addr, port in udp}), 2, "the number of UDP clients that the guest saw")


def test_port_taken(lab):
    """A port that others have in one family is not there for both."""
    lab.add_ip6()
    for addr in HOST_ADDR6, HOST_ADDR:
        taken = lab.host.tcp_listen(addr, 2222)
        output = lab.daemon().fails_to_start("-t", "2222")
        check("TCP *:2222" in output, f"the message: {output}")
        taken.close()


def test_bad_specs(lab):
    """Specifications that say nothing sensible are refused with a reason."""
    for spec in ("[2001:db8::1/22", "2001:db8::x/22", "fe80::1/22", "ff02::1/22", "22:::1",
                 "22:[ff02::1]/22", "[::1%lo]/22"):
        output = lab.daemon().fails_to_start("-t", spec)
        check(spec in output, f"the message for '{spec}' does not show it: {output}")
        equal(len(output.strip().splitlines()), 1, f"lines of the message for '{spec}'")
