"""Virtual machine monitors like libkrun's: the daemon is a child in the foreground, on one end of
a socket pair, and gets the guest's frames as they were meant for a network card with offloads."""

import socket

from lab import frames
from lab.checks import check, equal, eventually
from lab.frames import Link
from lab.lab import HOST_ADDR, PREFIX6, ROUTER_ADDR, SERVER_ADDR, SERVER_ADDR6
from lab.servers import HttpServer, TcpServer, echo, pattern, receive_all, sha256, udp_echo

MTU = 1500
DATAGRAM = 60000


def start(lab, *args):
    """(daemon, our end of its link), the daemon being started as muvm starts it."""
    ours, theirs = socket.socketpair()
    daemon = lab.daemon()
    daemon.start("-q", "-m", MTU, "--control", daemon.control, "--fd", theirs.fileno(),
                 "-t", "127.0.0.1/2222:22", "-u", "127.0.0.1/5353:5353", *args,
                 sockets=False, pass_fds=(theirs.fileno(),))
    theirs.close()
    eventually(daemon.control.exists, 30, "the daemon has started")
    return daemon, ours


def check_forwards(lab):
    TcpServer(lab, lab.guest.tcp_listen(port=22), echo)
    udp_echo(lab, lab.guest.udp_socket(port=5353))
    data = pattern(1 << 20)
    with lab.host.tcp_connect("127.0.0.1", 2222, 30) as client:
        lab.thread(client.sendall, data)
        equal(sha256(receive_all(client, len(data))), sha256(data), "the sum of the echo")
    with lab.host.udp_socket() as client:
        client.sendto(pattern(DATAGRAM), ("127.0.0.1", 5353))
        equal(client.recv(1 << 16), pattern(DATAGRAM), "the echoed datagram")


def test_offloads(lab):
    """A stack that leaves checksums and segmentation to its card moves data in both directions."""
    lab.add_ip6()
    daemon, link = start(lab)
    lab.guest.attach(daemon, "-o", mtu=MTU, fd=link.fileno())
    link.close()
    lab.guest.configure()
    lab.guest.wait_ip6()
    server, size = HttpServer(lab, lab.server, "::"), 16 << 20
    (lab.folder / "file").write_bytes(pattern(size))
    for host in SERVER_ADDR, f"[{SERVER_ADDR6}]":
        url = f"http://{host}:{server.port}/{size}"
        equal(lab.guest.run("sh", "-c", f"curl -sS '{url}' | sha256sum").split()[0],
              sha256(pattern(size)), f"the sum of what came from {host}")
        frames_before, bytes_before = (daemon.stat(f"link.{name}-in") for name in ("frames", "bytes"))
        lab.guest.run("curl", "-sS", "-T", lab.folder / "file", url)
        equal(server.received.pop(), sha256(pattern(size)), f"the sum of what went to {host}")
        mean = ((daemon.stat("link.bytes-in") - bytes_before) /
                (daemon.stat("link.frames-in") - frames_before))
        check(mean > 5 * MTU, f"frames were {mean:.0f} bytes long: there were no offloads")
    check_forwards(lab)
    lab.guest.detach()
    daemon.wait_exit(0)


def test_large_datagrams(lab):
    """Datagrams above the MTU in one frame, their checksums unfinished, arrive as they were sent."""
    lab.add_ip6()
    daemon, sock = start(lab)
    guest_addr6 = f"{PREFIX6}:15"
    with Link(daemon, sock=sock) as link:
        link.resolve(ROUTER_ADDR)
        for src, dst, family in ((HOST_ADDR, SERVER_ADDR, "0.0.0.0"), (guest_addr6, SERVER_ADDR6, "::")):
            with lab.server.udp_socket(family, 7, buffer=1 << 20) as server:
                for size in 1, MTU, 3 * MTU, DATAGRAM:
                    link.send(frames.udp(pattern(size), dst, 7, src=src, finished=False))
                    check(server.recv(1 << 16) == pattern(size),
                          f"the datagram of {size} bytes to {dst} differs")
    daemon.wait_exit(0)
