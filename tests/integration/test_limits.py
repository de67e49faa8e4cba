"""Timeouts, limits and switches of the command line, each reached."""

import json
import os
import signal
import socket
import time

from lab.checks import Skip, check, contains, equal, eventually, raises, within
from lab.daemon import plain_program
from lab.frames import Link
from lab.lab import HOST_ADDR, ROUTER_ADDR, SERVER_ADDR, SILENT_ADDR
from lab.servers import TcpServer, echo, receive_all, udp_echo

IP_RECVERR = 11  # linux/in.h; the socket module lacks it


def check_tcp(lab, addr, port):
    with lab.guest.tcp_connect(addr, port) as sock:
        sock.sendall(b"hello")
        equal(receive_all(sock, 5), b"hello", "the echo")


def counter(daemon, name):
    return next(c["value"] for c in daemon.ctl_json("stats") if c["name"] == name)


def udp_server(lab, node=None, addr="0.0.0.0"):
    """(port, peers) of an echo server."""
    sock = (node or lab.server).udp_socket(addr)
    return sock.getsockname()[1], udp_echo(lab, sock)


def check_udp(sock, port, addr=SERVER_ADDR):
    sock.sendto(b"hello", (addr, port))
    equal(sock.recv(10), b"hello", "the echo")


def flows(daemon):
    rows = daemon.ctl_json("flows")
    return rows["flows"] if isinstance(rows, dict) else rows


def test_udp_timeouts(lab):
    """UDP flows end after their timeouts, one-way or answered; later datagrams open new ones."""
    daemon = lab.start("--udp-timeout", 1, "--udp-stream-timeout", 2)
    port, _ = udp_server(lab)
    sock = lab.guest.udp_socket()
    sock.sendto(b"nobody there", (SILENT_ADDR, 9))
    check_udp(sock, port)
    equal(len(flows(daemon)), 2, "flows")
    eventually(lambda: not flows(daemon), 10, "the flows have ended")
    check_udp(sock, port)


def test_icmp_timeout(lab):
    """Echo sessions end after their timeout."""
    daemon = lab.start("--icmp-timeout", 1)
    lab.guest.run("ping", "-n", "-c1", "-W5", SERVER_ADDR)
    eventually(lambda: not flows(daemon), 10, "the session has ended")


def test_tcp_connect_timeout(lab):
    """--tcp-connect-timeout bounds how long the guest waits for a silent peer."""
    lab.start("--tcp-connect-timeout", 1)
    with within(5, "the failure"), raises(ConnectionRefusedError, "connect"):
        lab.guest.tcp_connect(SILENT_ADDR, 80)


def test_tcp_syn_timeout(lab):
    """--tcp-syn-timeout bounds how long a client waits for a silent guest."""
    daemon = lab.daemon().start("-t", "2222:22", "--tcp-syn-timeout", 1)
    lab.guest.attach(daemon)  # without an address: silent
    with within(8, "the end"), raises(ConnectionError, "the connection"):
        with lab.server.tcp_connect(HOST_ADDR, 2222) as sock:
            if not sock.recv(1):
                raise AssertionError("an orderly end instead of a reset")


def test_tcp_idle_timeout(lab):
    """An idle connection lives while the guest is there, and ends with a reset for both sides
    when it is not."""
    daemon = lab.start("--tcp-idle-timeout", 1)
    server = TcpServer(lab, lab.server.tcp_listen(), echo)
    with lab.guest.tcp_connect(SERVER_ADDR, server.port) as sock:
        eventually(lambda: counter(daemon, "tcp.keepalives") >= 3, 20, "it is asked")
        sock.sendall(b"still there")
        equal(receive_all(sock, 11), b"still there", "the echo")
        lab.guest.relay.send_signal(signal.SIGSTOP)
        try:
            eventually(lambda: server.resets, 8, "the server sees a reset")
        finally:
            lab.guest.relay.send_signal(signal.SIGCONT)
        with within(8, "the end"), raises(ConnectionResetError, "recv"):
            sock.recv(1)


def test_lease_time(lab):
    """A short lease is renewed by the client, again and again."""
    daemon = lab.daemon().start("--lease-time", 4)
    lab.guest.attach(daemon)
    # dhclient goes by the server's T1; udhcpc takes 16 s at least
    lab.guest.spawn("dhclient", "-d", "-v", "eth0", log="dhclient.log")
    log = lab.guest.folder / "dhclient.log"
    eventually(lambda: log.read_text().count("DHCPACK") >= 3, 30, "the lease is renewed twice")
    check(log.read_text().count("DHCPDISCOVER") == 1, f"a lease was lost: {log.read_text()}")


def test_max_flows(lab):
    """Beyond --max-flows new connections are refused at once; when one ends, there is room."""
    lab.start("--max-flows", 5)
    server = TcpServer(lab, lab.server.tcp_listen(), echo)
    socks = [lab.guest.tcp_connect(SERVER_ADDR, server.port) for _ in range(5)]
    with within(2, "the refusal"), raises(ConnectionRefusedError, "connect"):
        lab.guest.tcp_connect(SERVER_ADDR, server.port)
    for sock in socks:
        sock.close()

    def room():
        try:
            check_tcp(lab, SERVER_ADDR, server.port)
            return True
        except ConnectionRefusedError:
            return False
    eventually(room, 10, "there is room again")


def test_max_control_clients(lab):
    """Beyond --max-control-clients clients are told so; when one goes, there is room."""
    daemon = lab.daemon().start("--max-control-clients", 2)
    with daemon.qmp() as session:
        session.execute("query-status")  # it runs, and opens or closes nothing of its own any more
        idle = daemon.fd_count() - 1
    with daemon.qmp(), daemon.qmp():
        third = daemon.connect_control()
        contains(receive_all(third).decode(), "too many control clients")
        third.close()
    eventually(lambda: daemon.fd_count() == idle, 10, "the daemon has seen them go")
    with daemon.qmp() as session:
        session.execute("query-status")


def test_places_for_control(lab):
    """Clients of the socket for looking cannot lock out those of the control socket."""
    path = lab.folder / "status"
    daemon = lab.daemon().start("--max-control-clients", 4, "--status", path)

    def look():
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(10)
        sock.connect(str(path))
        return sock
    lookers = [look() for _ in range(3)]
    for sock in lookers:
        contains(sock.recv(4096).decode(), '"QMP"')
    contains(receive_all(look()).decode(), "too many control clients")
    daemon.ctl("config", "set", "max-control-clients", "100")
    lookers.append(look())
    contains(lookers[-1].recv(4096).decode(), '"QMP"')


def limit(daemon, name):
    return next(row for row in daemon.ctl_json("status")["limits"] if row["limit"] == name)


def test_open_files(lab):
    """Descriptors and their limits are shown, in the sandbox too; that they ran out is told of."""
    if tuple(map(int, os.uname().release.split(".")[:2])) < (6, 2):
        raise Skip("the kernel does not tell how many files are open")
    daemon = lab.daemon().start(binary=plain_program("postern"), wrapper=["prlimit", "--nofile=80:80"])
    lab.guest.attach(daemon)
    lab.guest.configure()
    equal(limit(daemon, "open-files"), {"limit": "open-files", "used": daemon.fd_count() + 1, "max": 80,
                                        "hard": 80}, "the limit, with posternctl's connection")
    contains(daemon.ctl("status"), " of 80 open-files\n")
    port, _ = udp_server(lab)
    with daemon.qmp() as session:
        socks = []
        for _ in range(60):
            socks.append(lab.guest.udp_socket())
            check_udp(socks[-1], port)
        equal(session.receive_event("LIMIT_REACHED")["limit"], "open-files", "the event")
        check(counter(daemon, "limit.open-files") > 0, "the counter")
        used = limit(daemon, "open-files")["used"]
        check(48 <= used <= 80, f"{used} of 80 are used")
        contains(daemon.ctl("metrics"), 'postern_limit_max{limit="open-files"} 80\n')
        # a forward finds none either
        error = session.request("forward-add", {"proto": "tcp", "spec": "1000-1100"})["error"]
        equal((error["data"]["errname"], error["data"]["proto"]), ("EMFILE", "tcp"), "the error")


def test_no_descriptor_for_the_guest(lab):
    """A guest that comes while no descriptor is left waits, costs no time, and is then served."""
    daemon = lab.daemon().start(wrapper=["prlimit", "--nofile=40:40"])
    clients = []
    while daemon.fd_count() < 40:
        clients.append(daemon.connect_control())
        clients[-1].recv(1)
    with Link(daemon) as link:
        before = daemon.cpu_seconds()
        time.sleep(1)
        check(daemon.cpu_seconds() - before < 0.2, "the daemon spins")
        for client in clients:
            client.close()
        link.alive()


def test_no_tcp(lab):
    """--no-tcp refuses TCP, and UDP works."""
    lab.start("--no-tcp")
    server = TcpServer(lab, lab.server.tcp_listen(), echo)
    with raises(ConnectionRefusedError, "connect"):
        lab.guest.tcp_connect(SERVER_ADDR, server.port)
    check_udp(lab.guest.udp_socket(), udp_server(lab)[0])
    equal(server.peers, [], "connections")


def test_no_udp(lab):
    """--no-udp refuses UDP, and TCP works."""
    lab.start("--no-udp")
    port, peers = udp_server(lab)
    sock = lab.guest.udp_socket()
    sock.connect((SERVER_ADDR, port))
    sock.setsockopt(socket.SOL_IP, IP_RECVERR, 1)
    sock.send(b"x")
    with within(5), raises(OSError, "recv"):
        sock.recv(100)
        raise AssertionError("a datagram came")
    check_tcp(lab, SERVER_ADDR, TcpServer(lab, lab.server.tcp_listen(), echo).port)
    equal(peers, [], "datagrams")


def test_no_icmp(lab):
    """--no-icmp refuses echo, and TCP works."""
    lab.start("--no-icmp")
    contains(lab.guest.run("ping", "-n", "-c1", "-W5", SERVER_ADDR, status=1), "filtered",
             "what ping says")
    check_tcp(lab, SERVER_ADDR, TcpServer(lab, lab.server.tcp_listen(), echo).port)


def test_no_map_gateway(lab):
    """--no-map-gw leaves the gateway's address to the gateway."""
    lab.start("--no-map-gw")
    server = TcpServer(lab, lab.host.tcp_listen("127.0.0.1"), echo)
    with raises(ConnectionRefusedError, "connect"):
        lab.guest.tcp_connect(ROUTER_ADDR, server.port)
    check_tcp(lab, ROUTER_ADDR, TcpServer(lab, lab.router.tcp_listen(ROUTER_ADDR), echo).port)


def test_map_host_loopback(lab):
    """--map-host-loopback ADDRESS is the host's loopback, both ways."""
    lab.start("--map-host-loopback", "203.0.113.99", "-t", "2222:22")
    check_tcp(lab, "203.0.113.99", TcpServer(lab, lab.host.tcp_listen("127.0.0.1"), echo).port)
    port, _ = udp_server(lab, lab.host, "127.0.0.1")
    check_udp(lab.guest.udp_socket(), port, "203.0.113.99")
    server = TcpServer(lab, lab.guest.tcp_listen(port=22), echo)
    with lab.host.tcp_connect("127.0.0.1", 2222) as sock:
        sock.sendall(b"x")
        receive_all(sock, 1)
    equal(server.peers[0][0], "203.0.113.99", "the client that the guest saw")


def test_map_guest_addr(lab):
    """--map-guest-addr ADDRESS is the host's own address, which the guest has too."""
    lab.start("--map-guest-addr", "203.0.113.98")
    check_tcp(lab, "203.0.113.98", TcpServer(lab, lab.host.tcp_listen(HOST_ADDR), echo).port)


def test_outbound(lab):
    """--outbound ADDRESS is where the guest's traffic comes from."""
    lab.host.ip("addr add 192.0.2.44/24 dev uplink")
    lab.start("--outbound", "192.0.2.44")
    server = TcpServer(lab, lab.server.tcp_listen(), echo)
    check_tcp(lab, SERVER_ADDR, server.port)
    port, peers = udp_server(lab)
    check_udp(lab.guest.udp_socket(), port)
    equal((server.peers[0][0], peers[0][0]), ("192.0.2.44", "192.0.2.44"), "the source")


def test_mac_addr(lab):
    """--mac-addr is our hardware address, even when it is the guest's."""
    daemon = lab.daemon().start("--mac-addr", "52:54:00:12:34:56")
    with Link(daemon) as link:
        equal(link.resolve().frame[6:12].hex(":"), "52:54:00:12:34:56", "the source address")
