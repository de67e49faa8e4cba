"""What a hostile guest, peer, local user or control client cannot do: postern-security(7)."""

import array
import os
import pathlib
import socket
import struct

from lab import frames
from lab.checks import Skip, check, contains, equal, eventually, raises
from lab.frames import ETH_ARP, ICMP, TCP, UDP, Link
from lab.lab import HOST_ADDR, ROUTER_ADDR, SERVER_ADDR
from lab.servers import TcpServer, echo, receive_all, udp_echo

STRANGER = "203.0.113.77"


def linked(lab, *args):
    """(daemon, link) with nobody but the test behind the link."""
    daemon = lab.daemon().start(*args)
    return daemon, Link(daemon)


# A hostile guest.

def test_log_flood(lab):
    """A guest of 2,000 MAC addresses, in links that come and go, costs a few lines of the log."""
    daemon, link = linked(lab)
    for i in range(2000):
        link.send(frames.arp_request(ROUTER_ADDR, src=f"52:54:00:00:{i >> 8:02x}:{i & 255:02x}"))
    link.alive()
    link.sock.close()

    def come_and_go():
        with Link(daemon) as link:
            link.alive()
        return "like it before" in daemon.log()
    for _ in range(200):
        come_and_go()
    before = daemon.log()
    check(before.count("MAC address") < 20 and before.count("connected") < 60,
          f"the log has {len(before.splitlines())} lines")
    eventually(come_and_go, 10, "it is told how often it happened")


def test_spoofed_source(lab):
    """Whatever address a guest sends from, the network sees the host's."""
    udp, server = lab.server.udp_socket(), TcpServer(lab, lab.server.tcp_listen(), echo)
    peers = udp_echo(lab, udp)
    _, link = linked(lab)
    for src in STRANGER, ROUTER_ADDR, SERVER_ADDR:
        link.send(frames.udp(b"x", SERVER_ADDR, udp.getsockname()[1], src=src))
        link.expect(lambda p: p.proto == UDP and p.dst == src, f"the answer to {src}")
        link.send(frames.tcp(SERVER_ADDR, server.port, frames.SYN, src=src))
        link.expect(lambda p: p.proto == TCP and p.dst == src, f"the SYN-ACK to {src}")
        link.send(frames.echo_request(SERVER_ADDR, src=src))
        link.expect(lambda p: p.proto == ICMP and p.dst == src, f"the echo reply to {src}")
    equal({peer[0] for peer in peers + server.peers}, {HOST_ADDR}, "what the server saw")


def sniffer(lab):
    """A socket that hears every frame which reaches the router from the host."""
    with lab.router.space.entered():
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        sock.bind(("near", 0))
        sock.settimeout(10)
    return sock


def icmp4(kind, code=0, payload=b""):
    message = struct.pack("!BBHI", kind, code, 0, 0) + payload
    return message[:2] + struct.pack("!H", frames.checksum(message)) + message[4:]


def icmp6(kind, body, src, dst):
    message = frames.transport(58, struct.pack("!BBH", kind, 0, 0) + body, src, dst, 2)
    return frames.ip6(58, message, dst, src, hop_limit=255)


def tricks():
    """Frames that would move a switch, a host or a router, were they to reach one."""
    stolen, own = frames.ip(ROUTER_ADDR), frames.mac("52:54:00:12:34:56")
    quote = frames.tcp("192.0.2.2", 5, frames.SYN, src=SERVER_ADDR)[14:]
    return [
        frames.eth(ETH_ARP, struct.pack("!HHBBH", 1, 0x800, 6, 4, 2) + own + stolen + own + stolen),
        frames.eth(0x88cc, bytes(46), dst="01:80:c2:00:00:0e"),  # LLDP
        frames.eth(0x0026, b"\x42\x42\x03" + bytes(43), dst="01:80:c2:00:00:00"),  # STP
        icmp6(134, bytes.fromhex("40000708 00000000 00000000"), "fe80::bad", "ff02::1"),
        icmp6(136, bytes.fromhex("20000000") + frames.ip("fe80::1") + b"\2\1" + own, "fe80::1", "ff02::1"),
        frames.ip4(ICMP, icmp4(5, 1, quote), SERVER_ADDR),  # redirect
        frames.ip4(ICMP, icmp4(3, 4, quote), SERVER_ADDR),  # fragmentation needed
        frames.ip4(ICMP, icmp4(13), SERVER_ADDR),  # timestamp
        frames.ip4(47, bytes(20), SERVER_ADDR),  # GRE
        frames.ip4(89, bytes(44), "224.0.0.5"),  # OSPF
        frames.ip4(2, bytes.fromhex("1100eefe00000000"), "224.0.0.1"),  # IGMP, a querier
    ]


def test_nothing_but_relayed(lab):
    """What a guest says to switches, routers and neighbors reaches none: only TCP, UDP and echo are relayed."""
    heard = sniffer(lab)
    lab.add_ip6()
    _, link = linked(lab)
    link.send(*tricks())
    link.alive()
    link.send(frames.udp(b"the end", SERVER_ADDR, 9))
    kinds = set()
    while b"the end" not in (frame := heard.recv(65536)):
        if frame[:2] != b"\x33\x33":  # the host's own reports and solicitations
            kinds.add((frame[12:14].hex(), frame[23] if frame[12:14] == b"\x08\x00" else None))
    equal(kinds - {("0806", None), ("86dd", None)}, set(), "frames besides the host's own")
    check(b"\x42\x42\x03" not in frame and frame[6:12] != frames.mac("52:54:00:12:34:56"), "the MAC address")
    table = lab.host.run("ip", "neigh")
    check("52:54:00:12:34:56" not in table, f"the host's table of neighbors is {table}")


def test_loopback_by_other_names(lab):
    """With --no-map-gw no address leads to the host's loopback."""
    lab.add_ip6()
    listeners = [lab.host.udp_socket("127.0.0.1", 7777, timeout=1), lab.host.udp_socket("::1", 7777, timeout=1)]
    _, link = linked(lab, "--no-map-gw")
    guest6 = "2001:db8:a::2"
    for dst in "127.0.0.1", "127.255.255.254", "0.0.0.0", ROUTER_ADDR:
        link.send(frames.udp(b"x", dst, 7777))
    for dst in "::1", "::", "::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "fe80::1":
        datagram = struct.pack("!4H", 40000, 7777, 9, 0) + b"x"
        link.send(frames.ip6(UDP, frames.transport(UDP, datagram, guest6, dst, 6), dst, guest6))
    link.alive()
    for listener in listeners:
        with raises(TimeoutError, "recv on the loopback"):
            listener.recv(100)


def test_operator_gets_in(lab):
    """A guest that has taken all descriptors it can get does not lock the operator out."""
    daemon = lab.daemon().start(wrapper=["prlimit", "--nofile=100:100"])
    with Link(daemon) as link:
        for i in range(300):
            link.send(frames.tcp("203.0.113.200", 80, frames.SYN, sport=10000 + i),
                      frames.udp(b"x", "203.0.113.200", 9, sport=10000 + i))
            while link.receive(0):
                pass
        link.alive()
        check(daemon.stat("flow.refused") > 0, "there was room for everything")
        flow = daemon.ctl_json("flows")[0]["id"]
        daemon.ctl("flow", "close", flow)


def test_names_in_leases(lab):
    """The name that a guest gives itself drives no terminal, neither by the log nor by posternctl."""
    daemon, link = linked(lab)
    evil = b"\x1b]0;owned\x07\xc2\x9b2J\n"
    link.send(frames.dhcp(3, bytes([12, len(evil)]) + evil + b"\x32\4" + frames.ip(HOST_ADDR)))
    link.expect(lambda p: p.proto == UDP and p.dport == 68, "the ACK")
    for text in daemon.log(), daemon.ctl("leases"), daemon.ctl("leases", "--json"):
        contains(text, "owned")
        check(text.isascii() and text.replace("\n", "").isprintable(), f"it shows {text!r}")


def test_payload_is_nowhere(lab):
    """Nothing of what is relayed is in the log, not even with --debug."""
    secret = b"s3cret-payload"
    udp, server = lab.server.udp_socket(), TcpServer(lab, lab.server.tcp_listen(), echo)
    udp_echo(lab, udp)
    daemon = lab.start("--debug", "-t", "2222:22")
    inside = TcpServer(lab, lab.guest.tcp_listen(port=22), echo)
    with lab.guest.tcp_connect(SERVER_ADDR, server.port) as sock:
        sock.sendall(secret)
        equal(receive_all(sock, len(secret)), secret, "the echo")
    with lab.server.tcp_connect(HOST_ADDR, 2222) as sock:
        sock.sendall(secret)
        equal(receive_all(sock, len(secret)), secret, "the echo of the guest")
    equal(len(inside.peers), 1, "clients")
    sock = lab.guest.udp_socket()
    sock.sendto(secret, (SERVER_ADDR, udp.getsockname()[1]))
    equal(sock.recv(100), secret, "the echo by UDP")
    lab.guest.run("ping", "-c1", "-W5", "-p", secret.hex(), SERVER_ADDR)
    lab.guest.run_status("dig", "+tries=1", "+time=1", "s3cret-payload.lab.example")
    check("s3cret" not in daemon.log(), "the log tells what was said")
    contains(daemon.log(), "flow ", "the log at debug level")


# A hostile peer.

def test_clients_end_no_flows(lab):
    """However many clients a forward has, what the guest has open goes on, and the log stays short."""
    daemon = lab.start("--max-flows", 20, "-t", "2222:22", "-u", "5353:53")
    server = TcpServer(lab, lab.server.tcp_listen(), echo)
    with lab.guest.tcp_connect(SERVER_ADDR, server.port) as sock:
        clients = [lab.server.socket() for _ in range(100)]
        for client in clients:
            client.setblocking(False)
            client.connect_ex((HOST_ADDR, 2222))
        for _ in range(100):
            lab.server.udp_socket().sendto(b"x", (HOST_ADDR, 5353))
        eventually(lambda: daemon.stat("forward.clients") + daemon.stat("forward.refused") >= 100, 10,
                   "they all came")
        sock.sendall(b"still there")
        equal(receive_all(sock, 11), b"still there", "the echo")
    lines = len(daemon.log().splitlines())
    check(lines < 60, f"the log has {lines} lines")


# A hostile user of the host.

NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
CONNECT = """
import socket, sys
for path in sys.argv[1:]:
    try:
        socket.socket(socket.AF_UNIX).connect(path)
        print("connected")
    except PermissionError:
        print("refused")
"""


def need_users():
    with open("/proc/self/uid_map") as uid_map:
        if int(uid_map.read().split()[2]) == 1:
            raise Skip("a second user needs a namespace with more than one")


def test_other_users(lab):
    """Another user connects neither to the guest's socket nor, whatever the umask, to a control socket."""
    need_users()
    daemon = lab.daemon().start("--status", lab.folder / "status", umask=0o022)
    paths = daemon.socket, daemon.control, lab.folder / "status"
    equal(lab.host.run(*NOBODY, "/usr/bin/python3", "-c", CONNECT, *paths).split(), ["refused"] * 3, "what it got")
    daemon.stop()
    daemon = lab.daemon().start("--status", lab.folder / "status", umask=0)
    paths = daemon.control, lab.folder / "status"
    equal(lab.host.run(*NOBODY, "/usr/bin/python3", "-c", CONNECT, *paths).split(), ["refused"] * 2, "what it got")


def test_links_in_shared_folders(lab):
    """A link of either kind where a socket or the pid file shall be is refused; what it leads to stays as it is."""
    target, trap = lab.folder / "target", lab.folder / "trap"
    for option in "-s", "-P", "--control":
        for content in "precious", None:
            target.unlink(missing_ok=True)
            if content:
                target.write_text(content)
            trap.unlink(missing_ok=True)
            trap.symlink_to(target)
            log = lab.daemon().fails_to_start(option, trap)
            contains(log, str(trap))
            equal(target.read_text() if target.exists() else None, content, f"the target of {option}")
            check(trap.is_symlink(), "the link has gone")
    trap.unlink()
    target.write_text("precious")
    for option in "-s", "-P", "--control":
        os.link(target, trap)
        contains(lab.daemon().fails_to_start(option, trap), str(trap))
        equal(target.read_text(), "precious", f"what {option} leads to by its other name")
        trap.unlink()


def test_squatted_default_name(lab):
    """Who sits at the default name of the socket, or leaves something there, gets no guest of ours."""
    first, second = (pathlib.Path(f"/tmp/postern_{i}.socket") for i in (1, 2))
    lab.host.run("true")
    with socket.socket(socket.AF_UNIX) as squatter:
        for path in first, second:
            path.unlink(missing_ok=True)
        squatter.bind(str(first))
        squatter.listen()
        second.symlink_to("/tmp/elsewhere")
        daemon = lab.daemon().start("-f", sockets=False)
        try:
            daemon.wait_log("waiting for the guest on '/tmp/postern_3.socket'")
            check(not os.path.exists("/tmp/elsewhere"), "the link was followed")
        finally:
            daemon.stop()
            first.unlink()
            second.unlink()


# A hostile control client.

def has_passrights():
    """Whether the kernel lets a socket refuse descriptors (Linux 6.16)."""
    with socket.socket(socket.AF_UNIX) as sock:
        try:
            sock.getsockopt(socket.SOL_SOCKET, 83)  # SO_PASSRIGHTS
        except OSError:
            return False
        return True


def test_descriptors_handed_in(lab):
    """Of the descriptors that a client hands in, one is kept, of a client that may start a capture with it; on
    other sockets none can be handed in, where the kernel helps."""
    daemon, link = linked(lab, "--status", lab.folder / "status")
    control, looking = daemon.connect_control(), socket.socket(socket.AF_UNIX)
    looking.connect(str(lab.folder / "status"))
    for sock in control, looking:
        sock.recv(4096)
    link.alive()
    before = daemon.fd_count()
    handed = array.array("i", [0] * 50)
    frame = frames.arp_request(ROUTER_ADDR)
    for sock, data in ((control, b'{"execute": "qmp_capabilities"}\n'),
                       (looking, b'{"execute": "qmp_capabilities"}\n'),
                       (link.sock, struct.pack("!I", len(frame)) + frame)):
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, handed)]
        if sock is not control and has_passrights():
            with raises(PermissionError, "sendmsg"):
                sock.sendmsg([data], rights)
            rights = []
        sock.sendmsg([data], rights)
    for sock in control, looking:
        contains(sock.recv(4096), b"return")
    link.alive()
    equal(daemon.fd_count(), before + 1, "descriptors of the daemon")
    control.close()
    eventually(lambda: daemon.fd_count() == before - 1, 10, "the client's own goes with it")
