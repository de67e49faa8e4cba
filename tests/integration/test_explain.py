"""posternctl explain: what it says of situations that are really there."""

import errno
import json
import signal
import socket
import struct

from lab.checks import check, contains, equal, eventually, raises
from lab.lab import HOST_ADDR, SERVER_ADDR, SILENT_ADDR, UNREACHABLE_ADDR
from lab.servers import TcpServer, echo, receive_all

LINGER_RESET = struct.pack("ii", 1, 0)


def codes(daemon, what):
    """What is found about all flows that are meant."""
    return [finding["code"] for each in json.loads(daemon.ctl("explain", what, "--json"))
            for finding in each["findings"]]


def finds(daemon, what, code, text):
    eventually(lambda: code in codes(daemon, what), 20, f"{code} is found", interval=0.2)
    contains(daemon.ctl("explain", what), text, "the words")


def fill(sock):
    """Sends until nothing more is taken."""
    sock.setblocking(False)
    while True:
        try:
            sock.send(b"x" * 65536)
        except BlockingIOError:
            return


def connection(lab):
    """Both ends of a connection of the guest's, and how it is called."""
    listener = lab.server.tcp_listen()
    port = listener.getsockname()[1]
    sock = lab.guest.tcp_connect(SERVER_ADDR, port)
    conn, _ = listener.accept()
    return sock, conn, f"{SERVER_ADDR}:{port}"


def test_fine(lab):
    """A connection in order: nothing is wrong, by address, by id and by name."""
    lab.name_server()
    daemon = lab.start()
    lab.guest.run("dig", "+short", "www.lab.example")
    server = TcpServer(lab, lab.server.tcp_listen(), echo)
    with lab.guest.tcp_connect(SERVER_ADDR, server.port) as sock:
        sock.sendall(b"x")
        receive_all(sock, 1)
        flow = daemon.ctl_json("flows", "--port", str(server.port))[0]
        for what in (f"{SERVER_ADDR}:{server.port}", str(flow["id"]), "www.lab.example",
                     f"lab.example:{server.port}"):
            contains(codes(daemon, what), "fine")
            contains(daemon.ctl("explain", what), "Nothing is wrong")


def test_what_is_meant(lab):
    """Ids, addresses and names of any length choose flows; what is none of them is refused."""
    name = ".".join(["x" * 60] * 4)
    lab.name_server(zone=f"{name}. 60 A {SERVER_ADDR}\n")
    daemon = lab.start()
    lab.guest.run("dig", "+short", name)
    sock, conn, what = connection(lab)
    flow, port = daemon.ctl_json("flows")[0]["id"], what.rpartition(":")[2]
    for what in str(flow), what, SERVER_ADDR, f"[{SERVER_ADDR}]:{port}", name, f"{name}:{port}":
        equal(codes(daemon, what), ["fine"], f"what is found of {what}")
    for what in str(flow + 1), f"{SERVER_ADDR}:1", "192.0.2.99", "[2001:db8::1]:80", "2001:db8::1", f"{name}:1":
        equal(codes(daemon, what), [], f"what is found of {what}")
    for what in ("", "0", "9007199254740993", "99999999999999999999", ":80", "name:", "name:http", "name:65536",
                 "a:b:80", "[name]:80", f"{SERVER_ADDR}:-1"):
        contains(daemon.ctl("explain", what, status=1), "is no id of a flow, no address and no name")
    sock.close()
    conn.close()


def test_guest_does_not_read(lab):
    """A guest that does not read is found out."""
    daemon = lab.start()
    sock, conn, what = connection(lab)

    def full():
        try:
            fill(conn)
        except OSError:
            pass
        return "guest-window-full" in codes(daemon, what)
    eventually(full, 20, "the window is full", interval=0.3)
    contains(daemon.ctl("explain", what), "The guest does not read")
    sock.close()
    conn.close()


def test_server_does_not_read(lab):
    """A server that does not read is found out."""
    daemon = lab.start()
    sock, conn, what = connection(lab)

    def full():
        fill(sock)
        return "peer-window-full" in codes(daemon, what)
    eventually(full, 20, "the window is full", interval=0.3)
    contains(daemon.ctl("explain", what), "The peer does not read")
    sock.close()
    conn.close()


def test_peer_falls_silent(lab):
    """A peer whose link is cut is found out."""
    daemon = lab.start()
    sock, conn, what = connection(lab)
    lab.server.run("ip", "route", "replace", "blackhole", f"{HOST_ADDR}/32")
    sock.sendall(b"anybody there?")
    finds(daemon, what, "peer-silent", "The peer does not answer")
    sock.close()
    conn.close()


def test_guest_falls_silent(lab):
    """A guest that is stopped is found out."""
    daemon = lab.start()
    sock, conn, what = connection(lab)
    lab.guest.relay.send_signal(signal.SIGSTOP)
    conn.sendall(b"anybody there?")
    finds(daemon, what, "guest-silent", "The guest has not acknowledged")
    lab.guest.relay.send_signal(signal.SIGCONT)
    sock.close()
    conn.close()


def test_refused(lab):
    """A port where nothing listens."""
    daemon = lab.start()
    with raises(ConnectionRefusedError, "connect"):
        lab.guest.tcp_connect(SERVER_ADDR, 9)
    finds(daemon, f"{SERVER_ADDR}:9", "refused", "The peer refused it")
    contains(daemon.ctl("explain", f"{SERVER_ADDR}:9"),
             "The host's socket said: Connection refused (ECONNREFUSED).", "the kernel's words")
    contains(daemon.ctl("flows", "--closed", "tcp"), "error:ECONNREFUSED", "the columns")


def test_refused_by_guest(lab):
    """A forward to a port of the guest where nothing listens."""
    daemon = lab.start("-t", "2222:22")
    try:
        with lab.server.tcp_connect(HOST_ADDR, 2222) as sock:
            sock.recv(1)
    except ConnectionResetError:
        pass  # soon, or even sooner
    finds(daemon, f"{HOST_ADDR}:2222", "refused", "The guest refused it: nothing listens")


def test_unused_forward(lab):
    """A port that is forwarded, and nobody came."""
    daemon = lab.start("-t", "2222:22")
    equal(codes(daemon, f"{HOST_ADDR}:2222"), ["forward-unused"], "the findings")
    contains(daemon.ctl("explain", f"{HOST_ADDR}:2223"), "No flow like that")
    equal(codes(daemon, f"{HOST_ADDR}:2223"), [], "the findings for a port that is not forwarded")


def test_unreachable(lab):
    """An address to which there is no way."""
    daemon = lab.start()
    with raises(OSError, "connect"):
        lab.guest.tcp_connect(UNREACHABLE_ADDR, 80)
    finds(daemon, f"{UNREACHABLE_ADDR}:80", "unreachable", "no way to the peer")
    contains(daemon.ctl("explain", f"{UNREACHABLE_ADDR}:80"), "UNREACH)", "the kernel's words")


def test_no_answer(lab):
    """An address from which nothing comes, while it is tried."""
    daemon = lab.start()
    with lab.guest.space.entered():
        sock = socket.socket()
    sock.setblocking(False)
    sock.connect_ex((SILENT_ADDR, 80))
    finds(daemon, f"{SILENT_ADDR}:80", "peer-not-connected", "The peer has not answered")
    sock.close()


def timed_out(daemon, what, silent, text):
    """The flow ends so; what else is told of that."""
    finds(daemon, what, "timed-out", text)
    flow, = daemon.ctl_json("flows", "--closed", "tcp")
    equal((flow["reason"], flow["silent"]), ("timed-out", silent), "the reason, and who was silent")
    contains(daemon.ctl("flows", "--closed", "tcp"), f"silent:{silent}", "the columns")
    return flow


def test_peer_times_out(lab):
    """A peer that is gone in the middle of a connection: the kernel gives it up."""
    lab.host.sysctl("ipv4/tcp_retries2", 2)
    daemon = lab.start()
    sock, conn, what = connection(lab)
    lab.server.run("ip", "route", "replace", "blackhole", f"{HOST_ADDR}/32")
    with daemon.qmp() as session:
        session.execute("events-subscribe", events=["FLOW_CLOSED"], proto="tcp")
        sock.sendall(b"anybody there?")
        flow = timed_out(daemon, what, "peer", "The peer did not acknowledge")
        equal((flow["error"], flow["errno"]), ("ETIMEDOUT", errno.ETIMEDOUT), "the error")
        told = session.receive_event("FLOW_CLOSED")
        equal([told[member] for member in ("reason", "silent", "error", "errno")],
              ["timed-out", "peer", "ETIMEDOUT", errno.ETIMEDOUT], "the event")
    contains(daemon.ctl("explain", what), "Connection timed out (ETIMEDOUT)", "the kernel's words")
    sock.close()
    conn.close()


def test_peer_does_not_connect(lab):
    """An address from which nothing comes, for as long as it is tried."""
    daemon = lab.start("--tcp-connect-timeout", 1)
    with raises(OSError, "connect"):
        lab.guest.tcp_connect(SILENT_ADDR, 80)
    flow = timed_out(daemon, f"{SILENT_ADDR}:80", "peer", "The peer never answered")
    check("error" not in flow, f"the host's socket did not fail: {flow}")


def test_guest_times_out(lab):
    """A guest that does not answer a client of a forward."""
    daemon = lab.start("-t", "2222:22", "--tcp-syn-timeout", 1)
    lab.guest.relay.send_signal(signal.SIGSTOP)
    with lab.server.tcp_connect(HOST_ADDR, 2222):
        flow = timed_out(daemon, f"{HOST_ADDR}:2222", "guest", "The guest never answered")
        check("error" not in flow, f"the host's socket did not fail: {flow}")
    lab.guest.relay.send_signal(signal.SIGCONT)


def test_no_answer_over_udp(lab):
    """A datagram that nobody answers, while its flow is there, and when it has ended."""
    daemon = lab.start("--udp-timeout", "3")
    lab.server.udp_socket(port=9)  # which only listens
    lab.guest.udp_socket().sendto(b"?", (SERVER_ADDR, 9))
    finds(daemon, f"{SERVER_ADDR}:9", "not-answered", "The peer has not answered 1 packets")
    eventually(lambda: not daemon.ctl_json("flows"), 20, "the flow ends")
    finds(daemon, f"{SERVER_ADDR}:9", "idle", "No answer ever came")


def reset(lab, by_guest):
    daemon = lab.start()
    sock, conn, what = connection(lab)
    one, other = (sock, conn) if by_guest else (conn, sock)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)
    one.close()
    code, text = ("guest-reset", "The guest reset it") if by_guest else \
        ("peer-reset", "The peer reset it")
    finds(daemon, what, code, text)
    other.close()


def test_reset_by_peer(lab):
    """The peer resets."""
    reset(lab, False)


def test_reset_by_guest(lab):
    """The guest resets."""
    reset(lab, True)


def test_name_not_resolved(lab):
    """Names that no server answers."""
    daemon = lab.start()  # without a name server
    lab.guest.run("dig", "+time=15", "+tries=1", "www.lab.example")
    finds(daemon, "www.lab.example", "names-not-resolved", "names may not be resolved")
