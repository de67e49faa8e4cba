"""Port forwards: from the host's ports to the guest's servers."""

import socket

from lab.checks import check, contains, deadline, equal, eventually, raises, within
from lab.lab import GUEST_MAC, HOST_ADDR, ROUTER_ADDR, SERVER_ADDR
from lab.servers import TcpServer, echo, pattern, receive_all, udp_echo

BIG_BUFFER = 16 << 20
# linux/in.h; the socket module lacks them
IP_MTU_DISCOVER, IP_MTU = 10, 14
IP_PMTUDISC_DONT, IP_PMTUDISC_DO = 0, 2

def guest_echo(lab, port, addr="0.0.0.0"):
    """A TCP echo server in the guest."""
    return TcpServer(lab, lab.guest.tcp_listen(addr, port), echo)


def guest_udp_echo(lab, port):
    """Who sent datagrams to an echo server in the guest, as they come."""
    return udp_echo(lab, lab.guest.udp_socket(port=port))


def check_tcp(node, port, addr=HOST_ADDR, **kwargs):
    """A connection from the node to the forwarded port echoes; returns the client's address."""
    with node.tcp_connect(addr, port, **kwargs) as sock:
        sock.sendall(b"through the gate")
        equal(receive_all(sock, 16), b"through the gate", f"the echo on port {port}")
        return sock.getsockname()


def check_udp(node, port, addr=HOST_ADDR):
    """A datagram from the node to the forwarded port echoes; returns the client's port."""
    sock = node.udp_socket()
    sock.sendto(b"through the gate", (addr, port))
    data, sender = sock.recvfrom(100)
    equal((data, sender), (b"through the gate", (addr, port)), f"the echo on port {port}")
    return sock.getsockname()[1]


def check_closed(node, port, addr=HOST_ADDR):
    with raises(ConnectionRefusedError, f"connect to port {port}"), within(2):
        node.tcp_connect(addr, port)


def test_tcp(lab):
    """A TCP port reaches the guest's server, which sees the client's real address and port."""
    lab.start("-t", "2222:22")
    server = guest_echo(lab, 22)
    client = check_tcp(lab.server, 2222)
    equal(server.peers, [(SERVER_ADDR, client[1])], "the clients that the guest saw")


def test_udp(lab):
    """A UDP port reaches the guest's server, which sees the client's real address and port."""
    lab.start("-u", "5353:53")
    peers = guest_udp_echo(lab, 53)
    port = check_udp(lab.server, 5353)
    equal(peers, [(SERVER_ADDR, port)], "the clients that the guest saw")


def test_udp_sizes(lab):
    """Datagrams of 0 to 65,507 bytes go in through a forward and come back."""
    lab.start("-u", "5353:53")
    guest_udp_echo(lab, 53)
    sock = lab.server.udp_socket(buffer=4 << 20)
    for size in (0, 1, 1472, 9000, 65507):
        sock.sendto(pattern(size), (HOST_ADDR, 5353))
        check(sock.recv(1 << 16) == pattern(size), f"the echo of {size} bytes differs")


def test_second_address(lab):
    """A client of another of the host's addresses is answered from that address."""
    lab.host.ip("addr add 192.0.2.44/24 dev uplink")
    lab.start("-t", "2222:22", "-u", "2222:22")
    guest_echo(lab, 22)
    guest_udp_echo(lab, 22)
    check_tcp(lab.server, 2222, "192.0.2.44")
    check_udp(lab.server, 2222, "192.0.2.44")


def test_same_port(lab):
    """A port alone is forwarded to the same port."""
    lab.start("-t", "8080", "-u", "8080")
    guest_echo(lab, 8080)
    guest_udp_echo(lab, 8080)
    check_tcp(lab.server, 8080)
    check_udp(lab.server, 8080)


def test_loopback_client(lab):
    """A client on the host's loopback appears as the gateway."""
    lab.start("-t", "2222:22", "-u", "2222:22")
    server = guest_echo(lab, 22)
    peers = guest_udp_echo(lab, 22)
    check_tcp(lab.host, 2222, "127.0.0.1")
    check_udp(lab.host, 2222, "127.0.0.1")
    equal((server.peers[0][0], peers[0][0]), (ROUTER_ADDR, ROUTER_ADDR), "the client's address")


def test_clients_that_look_alike(lab):
    """Clients that the guest could not tell apart get connections of their own all the same."""
    lab.start("-t", "2222:22,2223:22")
    server = guest_echo(lab, 22)
    clients = []
    for addr, port in [(f"127.0.0.{number}", 2222) for number in range(2, 12)] + [("127.0.0.2", 2223)]:
        clients.append(lab.host.socket())
        clients[-1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        clients[-1].bind((addr, 5000))
        clients[-1].connect(("127.0.0.1", port))
    for number, sock in enumerate(clients):
        sock.sendall(b"client %02d" % number)
    for number, sock in enumerate(clients):
        equal(receive_all(sock, 9), b"client %02d" % number, "the echo")
        sock.close()
    equal({addr for addr, _port in server.peers}, {ROUTER_ADDR}, "the addresses that the guest saw")
    contains([port for _addr, port in server.peers], 5000, "the ports that the guest saw")


def test_ranges_and_excludes(lab):
    """A range maps port by port, without what is excluded."""
    lab.start("-t", "8000-8005:9000-9005,~8003", "-u", "8000-8005:9000-9005,~8003")
    for port in range(9000, 9006):
        guest_echo(lab, port)
        guest_udp_echo(lab, port)
    for port in (8000, 8002, 8004, 8005):
        check_tcp(lab.server, port)
        check_udp(lab.server, port)
    check_closed(lab.server, 8003)
    check_closed(lab.server, 8006)


def test_lists_and_repeats(lab):
    """Several ports in one option, and several options, add up."""
    lab.start("-t", "8001,8002:9002", "-t", "8003")
    for port in (8001, 9002, 8003):
        guest_echo(lab, port)
    for port in (8001, 8002, 8003):
        check_tcp(lab.server, port)


def test_address(lab):
    """A forward bound to an address serves that address only."""
    lab.start("-t", "127.0.0.1/2222:22")
    guest_echo(lab, 22)
    check_tcp(lab.host, 2222, "127.0.0.1")
    check_closed(lab.server, 2222)


def test_interface(lab):
    """A forward bound to an interface serves that interface only."""
    lab.start("-t", "%uplink/2222:22")
    guest_echo(lab, 22)
    check_tcp(lab.server, 2222)
    check_closed(lab.host, 2222, "127.0.0.1")


def test_bulk(lab):
    """64 MB go in through a forward and come back unchanged."""
    lab.start("-t", "2222:22")
    guest_echo(lab, 22)
    data = pattern(64 << 20)
    with lab.server.tcp_connect(HOST_ADDR, 2222, timeout=30) as sock:
        lab.thread(lambda: (sock.sendall(data), sock.shutdown(socket.SHUT_WR)))
        check(receive_all(sock) == data, "the data differ")


def test_half_close(lab):
    """A client that ends its half still gets the guest's answer."""
    lab.start("-t", "2222:22")
    TcpServer(lab, lab.guest.tcp_listen(port=22),
              lambda conn, _peer: conn.sendall(receive_all(conn)[::-1]))
    output = lab.server.run("nc", "-N", HOST_ADDR, 2222, stdin="drow")
    equal(output, "word", "the answer")


def test_many_clients(lab):
    """200 clients at once each get their own echo."""
    lab.start("-t", "2222:22")
    guest_echo(lab, 22)
    socks = [lab.server.tcp_connect(HOST_ADDR, 2222) for _ in range(200)]
    for number, sock in enumerate(socks):
        sock.sendall(b"%03d" % number)
    for number, sock in enumerate(socks):
        equal(receive_all(sock, 3), b"%03d" % number, "the echo")
        sock.close()


def test_guest_refuses(lab):
    """When nobody listens in the guest, the client is told quickly."""
    lab.start("-t", "2222:22")
    with within(3, "the end of the connection"):
        with raises(ConnectionError, "the connection"):
            with lab.server.tcp_connect(HOST_ADDR, 2222) as sock:
                if not sock.recv(1):
                    raise AssertionError("an orderly end instead of a reset")


def test_udp_guest_refuses(lab):
    """A guest's port unreachable ends the flow; the forward goes on for others."""
    lab.start("-u", "2222:22")
    with lab.server.udp_socket() as sock:
        sock.sendto(b"anybody there?", (HOST_ADDR, 2222))
    guest_udp_echo(lab, 22)
    check_udp(lab.server, 2222)


def test_udp_client_gone(lab):
    """The error of a client's closed port reaches the guest's socket that answers, and no other's."""
    lab.start("-u", "2222:22")
    server = lab.guest.udp_socket(port=22)
    other, gone = lab.server.udp_socket(), lab.server.udp_socket()
    for client in other, gone:
        client.sendto(b"question", (HOST_ADDR, 2222))
        _, peer = server.recvfrom(100)
    gone.close()
    server.connect(peer)
    for _ in range(2):
        server.send(b"answer")
        with within(5), raises(ConnectionRefusedError, "recv"):
            server.recv(100)
    server.close()
    guest_udp_echo(lab, 22)
    other.sendto(b"still there", (HOST_ADDR, 2222))
    equal(other.recv(100), b"still there", "the echo")


def test_udp_path_mtu(lab):
    """Answers that must not be fragmented show the guest the path's MTU, each of its sockets; others arrive."""
    lab.router.ip("link set far mtu 1280")
    lab.server.ip("link set eth0 mtu 1280")
    lab.start("-u", "2222:22")
    client = lab.server.udp_socket(buffer=BIG_BUFFER)
    for size in 4000, 1400:  # the host knows the path the second time
        with lab.guest.udp_socket(port=22) as server:
            client.sendto(b"question", (HOST_ADDR, 2222))
            _, peer = server.recvfrom(100)
            server.setsockopt(socket.SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO)
            server.connect(peer)
            server.send(bytes(1400))
            with within(5), raises(OSError, "recv"):
                server.recv(2000)
                raise AssertionError("a datagram came")
            equal(server.getsockopt(socket.SOL_IP, IP_MTU), 1280, "the path MTU")
            server.send(b"short")
            equal(client.recv(100), b"short", "the answer that fits")
            server.setsockopt(socket.SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT)
            server.send(pattern(size))
            equal(client.recv(1 << 16), pattern(size), "the answer that may be fragmented")
        lab.guest.run("ip", "route", "flush", "cache")


def test_guest_not_booted(lab):
    """A connection that came before the guest was up is served when it is."""
    daemon = lab.daemon().start("-t", "2222:22")
    with lab.server.tcp_connect(HOST_ADDR, 2222, timeout=30) as sock:
        sock.sendall(b"early")
        lab.guest.attach(daemon)
        guest_echo(lab, 22)
        lab.guest.configure()
        equal(receive_all(sock, 5), b"early", "the echo")


def test_guest_not_addressed(lab):
    """A connection that came before the guest had its address is served when it has."""
    daemon = lab.daemon().start("-t", "2222:22")
    lab.guest.attach(daemon)
    with lab.server.tcp_connect(HOST_ADDR, 2222, timeout=30) as sock:
        sock.sendall(b"early")
        guest_echo(lab, 22)
        lab.guest.configure()
        equal(receive_all(sock, 5), b"early", "the echo")


@deadline(90)
def test_no_guest(lab):
    """Without a guest on the link for a while, a client is reset at once."""
    lab.daemon().start("-t", "2222:22")

    def is_reset():
        with raises(ConnectionResetError, "the connection"):
            with lab.host.tcp_connect("127.0.0.1", 2222, timeout=60) as sock:
                sock.recv(1)
    is_reset()
    with within(2, "the reset"):
        is_reset()


def test_reset_passes(lab):
    """A reset by the guest's server is a reset for the client."""
    lab.start("-t", "2222:22")

    def reset(conn, _peer):
        conn.recv(1)
        conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    TcpServer(lab, lab.guest.tcp_listen(port=22), reset)
    with lab.server.tcp_connect(HOST_ADDR, 2222) as sock:
        sock.sendall(b"x")
        with raises(ConnectionResetError, "recv"), within(5):
            sock.recv(1)


def test_reconnect_keeps_forwards(lab):
    """Forwards serve the next guest after the link was gone."""
    daemon = lab.start("-t", "2222:22", "-u", "2222:22")
    guest_echo(lab, 22)
    check_tcp(lab.server, 2222)
    lab.guest.detach()
    eventually(lambda: "eth0" not in lab.guest.run("ip", "-br", "link"), 10, "eth0 is gone")
    lab.guest.attach(daemon)
    lab.guest.configure()
    guest_udp_echo(lab, 22)
    check_tcp(lab.server, 2222)
    check_udp(lab.server, 2222)


def test_new_mac_after_reconnect(lab):
    """The next guest may have another MAC address."""
    daemon = lab.start("-t", "2222:22")
    guest_echo(lab, 22)
    check_tcp(lab.server, 2222)
    lab.guest.detach()
    eventually(lambda: "eth0" not in lab.guest.run("ip", "-br", "link"), 10, "eth0 is gone")
    lab.guest.attach(daemon, mac=GUEST_MAC[:-2] + "99")
    lab.guest.configure()
    check_tcp(lab.server, 2222)


def test_private(lab):
    """With --private, forwards reach 10.0.2.15."""
    lab.start("--private", "-t", "2222:22", "-u", "2222:22")
    guest_echo(lab, 22)
    guest_udp_echo(lab, 22)
    check_tcp(lab.server, 2222)
    check_udp(lab.server, 2222)


def test_all(lab):
    """`all` without most of the ports forwards what is left."""
    lab.start("-t", "all,~1-8079,~8091-65535")
    guest_echo(lab, 8085)
    check_tcp(lab.server, 8085)
    check_closed(lab.server, 8079)


# What cannot be.

def test_tcp_port_taken(lab):
    """A TCP port in use is an error at the start that names protocol, address and port."""
    taken = lab.host.tcp_listen("192.0.2.2", 2222)
    output = lab.daemon().fails_to_start("-t", "192.0.2.2/2222:22")
    contains(output.lower(), "tcp")
    contains(output, "192.0.2.2")
    contains(output, "2222")
    taken.close()


def test_udp_port_taken(lab):
    """A UDP port in use is an error at the start that names protocol, address and port."""
    taken = lab.host.udp_socket("0.0.0.0", 2222)
    output = lab.daemon().fails_to_start("-u", "2222")
    contains(output.lower(), "udp")
    contains(output, "2222")
    taken.close()


def test_bad_specs(lab):
    """Specifications that say nothing sensible are refused with a reason."""
    for spec in ("0x16", "70000", "22:", "22-20", "22-30:1-2", "1-10:65530-65539", "192.0.2.300/22",
                 "22:22:22", "~", "", "eth0%/22", "22;23", "-5", "22-", "none,22"):
        output = lab.daemon().fails_to_start("-t", spec)
        check(spec in output or not spec, f"the message for '{spec}' does not show it: {output}")
        equal(len(output.strip().splitlines()), 1, f"lines of the message for '{spec}'")
