"""A long way to the server: delay, loss, reordering, a narrow hop."""

import select
import socket

from lab.checks import check, deadline, equal, eventually
from lab.daemon import tool_path
from lab.lab import ROUTER_FAR_ADDR, SERVER_ADDR
from lab.servers import HttpServer, TcpServer, echo, pattern, receive_all, sha256, udp_echo

IP_MTU_DISCOVER, IP_PMTUDISC_DO = 10, 2  # linux/in.h
EMSGSIZE = 90


def stretch(lab, delay_us, loss_ppm=0, reorder_ppm=0, seed=0):
    """Replaces the wire between router and server by one with this one-way delay and faults."""
    lab.router.run("ip", "link", "del", "far", status=None)     # that of `wan` goes with it
    wire = lab.router.spawn(tool_path("wan"), lab.router.space.path, "far", lab.server.space.path,
                            "eth0", delay_us, loss_ppm, reorder_ppm, seed, stdout=-1, text=True)
    equal(wire.stdout.readline().strip(), "ready", "the first word of wan")
    lab.router.ip(f"addr add {ROUTER_FAR_ADDR}/24 dev far")
    lab.server.ip(f"addr add {SERVER_ADDR}/24 dev eth0", f"route add default via {ROUTER_FAR_ADDR}")
    return wire


def lost(lab, seed, count):
    """Which of so many datagrams from the router to the server a wire with 1 % loss takes away."""
    wire = stretch(lab, 0, loss_ppm=10000, seed=seed)
    server, client = lab.server.udp_socket(SERVER_ADDR), lab.router.udp_socket()
    missing = set(range(count))
    for number in range(count):
        client.sendto(number.to_bytes(4, "big"), server.getsockname())
        # Not more on their way than fit into any queue. What was lost is waited for in vain.
        if select.select([server], [], [], 0.1)[0]:
            missing.remove(int.from_bytes(server.recv(4), "big"))
    wire.terminate()
    wire.wait()
    return missing


def narrow(lab):
    """The wire between router and server takes 1,280 bytes, either way."""
    lab.router.ip("link set far mtu 1280")
    lab.server.ip("link set eth0 mtu 1280")


def transfers(lab, size):
    """A download and an upload of `size` bytes, both whole."""
    server = HttpServer(lab, lab.server)
    target, source = lab.folder / "download", lab.folder / "upload"
    source.write_bytes(pattern(size, 1))
    url = f"http://{SERVER_ADDR}:{server.port}/"
    lab.guest.run("curl", "-sS", "-o", target, f"{url}{size}", timeout=60)
    equal(sha256(target.read_bytes()), sha256(pattern(size)), "the checksum of the download")
    lab.guest.run("curl", "-sS", "-T", source, url, timeout=60)
    equal(server.received, [sha256(pattern(size, 1))], "the checksum of the upload")


@deadline(150)
def test_delay(lab):
    """32 MB each way over a wire of 20 ms."""
    stretch(lab, 10000)
    lab.start()
    transfers(lab, 32 << 20)


@deadline(150)
def test_loss_and_reordering(lab):
    """8 MB each way over a wire of 4 ms that loses and reorders."""
    stretch(lab, 2000, loss_ppm=2000, reorder_ppm=5000)
    lab.start()
    transfers(lab, 8 << 20)


def test_wire_loses(lab):
    """The wire of the tests loses what it shall lose, and the same again with the same seed."""
    for node in (lab.router, lab.server):       # no frames but the test's
        node.sysctl("ipv6/conf/default/disable_ipv6", 1)
    first = lost(lab, 1, 1000)
    check(9 <= len(first) <= 11, f"1 % of 1,000 were {len(first)}")
    equal(lost(lab, 1, 1000), first, "what was lost with the same seed")
    check(lost(lab, 2, 1000) != first, "another seed lost the same")


def test_narrow_hop(lab):
    """Where a hop is narrower than the guest's link, datagrams still get through, and TCP."""
    narrow(lab)
    lab.start(mtu=1500)
    sock = lab.server.udp_socket()
    udp_echo(lab, sock)
    port = sock.getsockname()[1]
    client = lab.guest.udp_socket(timeout=0.5)

    def echoed():
        client.sendto(pattern(1400), (SERVER_ADDR, port))
        try:
            return client.recv(2000) == pattern(1400)
        except TimeoutError:
            return False
    eventually(echoed, 10, "a datagram of 1,400 bytes comes back")
    server = TcpServer(lab, lab.server.tcp_listen(), echo)
    with lab.guest.tcp_connect(SERVER_ADDR, server.port) as stream:
        data = pattern(1 << 20)
        lab.thread(stream.sendall, data)
        check(receive_all(stream, len(data)) == data, "the echo differs")


def test_fragmentation_needed(lab):
    """A datagram that must not be fragmented and is too large for a hop is an error of its size."""
    narrow(lab)
    lab.start(mtu=1500)
    client = lab.guest.udp_socket()
    client.setsockopt(socket.SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO)
    client.connect((SERVER_ADDR, 9))

    def told():
        try:
            client.send(pattern(1400))
            return False
        except OSError as error:
            return error.errno == EMSGSIZE
    eventually(told, 10, "the guest's socket reports EMSGSIZE")
