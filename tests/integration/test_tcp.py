"""TCP: bulk data, ends of connections, and answers for what cannot be reached."""

import contextlib
import json
import signal
import socket
import struct

from lab.checks import check, contains, deadline, equal, eventually, raises, within
from lab.daemon import tool_path
from lab.lab import (DNS2_ADDR, DNS_ADDR, HOST_ADDR, ROUTER_ADDR, SERVER_ADDR, SILENT_ADDR,
                     UNREACHABLE_ADDR)
from lab.servers import HttpServer, TcpServer, echo, pattern, receive_all, sha256

BULK = 64 << 20
LINGER_RESET = struct.pack("ii", 1, 0)


def echo_server(lab, node=None, addr="0.0.0.0"):
    return TcpServer(lab, (node or lab.server).tcp_listen(addr), echo)


def check_echo(sock, size=1000):
    data = pattern(size)
    sock.sendall(data)
    check(receive_all(sock, size) == data, "the echo differs")


# Bulk data.

def download(lab, mtu):
    lab.start(mtu=mtu)
    port = HttpServer(lab, lab.server).port
    target = lab.folder / "download"
    lab.guest.run("curl", "-sS", "-o", target, f"http://{SERVER_ADDR}:{port}/{BULK}")
    equal(sha256(target.read_bytes()), sha256(pattern(BULK)), "the checksum")


def upload(lab, mtu):
    lab.start(mtu=mtu)
    server = HttpServer(lab, lab.server)
    source = lab.folder / "upload"
    source.write_bytes(pattern(BULK))
    lab.guest.run("curl", "-sS", "-T", source, f"http://{SERVER_ADDR}:{server.port}/")
    equal(server.received, [sha256(pattern(BULK))], "the checksums")


def test_curl_download(lab):
    """64 MB come from a web server unchanged."""
    download(lab, 65520)


def test_curl_download_mtu_1500(lab):
    """64 MB come from a web server unchanged to a guest with Ethernet's MTU."""
    download(lab, 1500)


def test_curl_upload(lab):
    """64 MB go to a web server unchanged."""
    upload(lab, 65520)


def test_curl_upload_mtu_1500(lab):
    """64 MB go to a web server unchanged from a guest with Ethernet's MTU."""
    upload(lab, 1500)


def test_curl_many(lab):
    """100 small requests, 20 at a time, all succeed."""
    lab.start()
    port = HttpServer(lab, lab.server).port
    output = lab.guest.run("curl", "-sS", "-Z", "--parallel-max", 20, "-w", "%{http_code}\n",
                           "-o", "/dev/null", f"http://{SERVER_ADDR}:{port}/[1000-1099]")
    equal(output.split().count("200"), 100, "requests that succeeded")


def iperf3(lab, *options):
    """Intervals of an iperf3 run against the server; each has moved bytes."""
    lab.start()
    lab.server.spawn("iperf3", "-s", log="iperf3.log")
    lab.server.wait_listening(5201)
    result = json.loads(lab.guest.run("iperf3", "-J", "-c", SERVER_ADDR, "-t2", "-i0.5", *options))
    check("error" not in result, result.get("error"))
    # The last interval may be a sliver that ends with the run.
    for number, interval in enumerate(result["intervals"][:4]):
        for stream in interval["streams"]:
            check(stream["bytes"] > 0, f"stream {stream['socket']} stood still in interval {number}")
    return result["end"]


def test_iperf3_upload(lab):
    """iperf3 from the guest: bytes in every interval."""
    iperf3(lab)


def test_iperf3_download(lab):
    """iperf3 to the guest: bytes in every interval."""
    iperf3(lab, "-R")


def test_iperf3_upload_parallel(lab):
    """Four streams from the guest: bytes on each in every interval."""
    iperf3(lab, "-P4")


def test_iperf3_download_parallel(lab):
    """Four streams to the guest: bytes on each in every interval."""
    iperf3(lab, "-P4", "-R")


def test_iperf3_bidirectional(lab):
    """Both directions at once: bytes in every interval."""
    iperf3(lab, "--bidir")


def test_slow_guest_reader(lab):
    """A guest that reads late gets all of 16 MB, and the daemon holds little of it."""
    daemon = lab.start()
    data = pattern(16 << 20)
    server = TcpServer(lab, lab.server.tcp_listen(), lambda conn, _peer: conn.sendall(data))
    with lab.guest.tcp_connect(SERVER_ADDR, server.port, timeout=30) as sock:
        before = daemon.resident_kb()
        wait_still(lambda: server_progress(lab, server.port))
        grown = daemon.resident_kb() - before
        check(receive_all(sock) == data, "the data differ")
    check(grown < 16 << 10, f"the daemon grew by {grown} kB for one blocked flow")


def test_slow_server_reader(lab):
    """A server that reads late gets all of 16 MB, and the daemon holds little of it."""
    daemon = lab.start()
    data = pattern(16 << 20)
    listener = lab.server.tcp_listen()
    port = listener.getsockname()[1]
    with lab.guest.tcp_connect(SERVER_ADDR, port, timeout=30) as sock:
        conn, _ = listener.accept()
        before = daemon.resident_kb()
        lab.thread(lambda: (sock.sendall(data), sock.shutdown(socket.SHUT_WR)))
        wait_still(lambda: conn_queue(lab.server, port))
        grown = daemon.resident_kb() - before
        check(receive_all(conn) == data, "the data differ")
    check(grown < 16 << 10, f"the daemon grew by {grown} kB for one blocked flow")


def conn_queue(node, port):
    """Bytes that wait in the node's receive queue of connections to its port."""
    lines = node.run("ss", "-tnH", "state", "established", f"sport = :{port}").splitlines()
    return sum(int(line.split()[0]) for line in lines)


def server_progress(lab, port):
    """Bytes acknowledged to the server on connections to its port."""
    text = lab.server.run("ss", "-tniH", f"sport = :{port}")
    return sum(int(word.split(":")[1]) for word in text.split() if word.startswith("bytes_acked:"))


def wait_still(measure):
    """Waits until the measure is above zero and hardly grows: a window probe may move a byte."""
    last = [0]

    def still():
        value = measure()
        same = value > 0 and value - last[0] < 1 << 16
        last[0] = value
        return same
    eventually(still, 20, "the transfer stands still", interval=0.3)


def test_link_stands_still(lab):
    """While nobody reads the link, the daemon sleeps and serves its control socket."""
    daemon = lab.start()
    data, received = pattern(32 << 20), []
    server = TcpServer(lab, lab.server.tcp_listen(), lambda conn, _peer: conn.sendall(data))
    with lab.guest.tcp_connect(SERVER_ADDR, server.port, timeout=30) as sock:
        lab.guest.relay.send_signal(signal.SIGSTOP)
        reader = lab.thread(lambda: received.append(receive_all(sock)))
        wait_still(lambda: server_progress(lab, server.port))
        before = daemon.cpu_seconds()
        with daemon.qmp() as session:
            session.execute("query-status")
        wait_still(lambda: server_progress(lab, server.port))
        check(daemon.cpu_seconds() - before < 0.2, "the daemon is busy with a link that is full")
        lab.guest.relay.send_signal(signal.SIGCONT)
        reader.join(30)
    check(received == [data], "the data differ")


def test_out_of_descriptors(lab):
    """Without descriptors left, connections are refused at once; when there are, they work."""
    daemon = lab.daemon().start(wrapper=["prlimit", "--nofile=100:100"])
    lab.guest.attach(daemon)
    lab.guest.configure()
    server = echo_server(lab)
    socks, refused = [], 0
    for _ in range(150):
        try:
            with within(5, "the refusal"):
                socks.append(lab.guest.tcp_connect(SERVER_ADDR, server.port))
        except ConnectionRefusedError:
            refused += 1
    check(refused, "150 connections on 100 descriptors")
    check(len(socks) >= 40, f"only {len(socks)} connections on 100 descriptors")
    for sock in socks:
        check_echo(sock, 100)
        sock.close()

    def served():
        try:
            with lab.guest.tcp_connect(SERVER_ADDR, server.port) as sock:
                check_echo(sock, 100)
            return True
        except ConnectionRefusedError:
            return False
    eventually(served, 10, "a connection is served again")


def test_memory_returns(lab):
    """2,000 connections, one after the other, leave the daemon about as large as 200 did."""
    daemon = lab.start()
    server = echo_server(lab)

    def churn(count):
        for _ in range(count):
            with lab.guest.tcp_connect(SERVER_ADDR, server.port) as sock:
                check_echo(sock, 100)
        return daemon.resident_kb()
    first = churn(200)
    grown = churn(2000) - first
    check(grown < 8 << 10, f"the daemon grew by {grown} kB")


# Ends of connections.

def test_nc_half_close_by_guest(lab):
    """What the server says after the guest's end of data still arrives."""
    lab.start()
    received = []

    def answer_at_the_end(conn, _peer):
        received.append(receive_all(conn))
        conn.sendall(b"answer after the end")
    server = TcpServer(lab, lab.server.tcp_listen(), answer_at_the_end)
    output = lab.guest.run("nc", "-N", SERVER_ADDR, server.port, stdin="the question")
    equal((received, output), ([b"the question"], "answer after the end"), "the conversation")


def test_nc_half_close_by_server(lab):
    """What the guest says after the server's end of data still arrives."""
    lab.start()
    received = []

    def end_at_once(conn, _peer):
        conn.sendall(b"said")
        conn.shutdown(socket.SHUT_WR)
        received.append(receive_all(conn))
    server = TcpServer(lab, lab.server.tcp_listen(), end_at_once)
    with lab.guest.tcp_connect(SERVER_ADDR, server.port) as sock:
        equal(receive_all(sock), b"said", "the server's data")
        sock.sendall(b"and answered")
    eventually(lambda: received, 10, "the server has the guest's data")
    equal(received, [b"and answered"], "the guest's data")


def test_half_close_bulk(lab):
    """8 MB still flow each way after the other way has ended."""
    lab.start()
    data, received = pattern(8 << 20), []

    def answer_at_the_end(conn, _peer):
        received.append(receive_all(conn))
        conn.sendall(data)
    server = TcpServer(lab, lab.server.tcp_listen(), answer_at_the_end)
    with lab.guest.tcp_connect(SERVER_ADDR, server.port, timeout=30) as sock:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        check(receive_all(sock) == data, "the server's data differ")
    check(received == [data], "the guest's data differ")


def test_reset_by_server(lab):
    """A reset by the server is a reset for the guest."""
    lab.start()

    def reset(conn, _peer):
        conn.recv(1)
        conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)
    server = TcpServer(lab, lab.server.tcp_listen(), reset)
    with lab.guest.tcp_connect(SERVER_ADDR, server.port) as sock:
        sock.sendall(b"x")
        with raises(ConnectionResetError, "recv"), within(5):
            sock.recv(1)


def test_reset_by_guest(lab):
    """A reset by the guest is a reset for the server."""
    lab.start()
    server = echo_server(lab)
    sock = lab.guest.tcp_connect(SERVER_ADDR, server.port)
    check_echo(sock)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)
    sock.close()
    eventually(lambda: server.resets, 5, "the server sees the reset")


def test_flows_end(lab):
    """Closed connections leave neither sockets nor connection states behind."""
    daemon = lab.start()
    server = echo_server(lab)
    before = daemon.fd_count()
    for _ in range(50):
        with lab.guest.tcp_connect(SERVER_ADDR, server.port) as sock:
            check_echo(sock, 10)
    eventually(lambda: daemon.fd_count() <= before, 10, "the daemon's sockets are closed")


def test_peer_vanishes(lab):
    """A peer that is gone without a word is found by the host's keep-alives, and the guest told."""
    for name, value in (("time", 1), ("intvl", 1), ("probes", 2)):
        lab.host.sysctl(f"ipv4/tcp_keepalive_{name}", value)
    lab.start()
    server = echo_server(lab)
    with lab.guest.tcp_connect(SERVER_ADDR, server.port, timeout=20) as sock:
        check_echo(sock, 10)
        lab.router.ip(f"route add blackhole {SERVER_ADDR}/32")
        with raises(ConnectionResetError, "recv"):
            sock.recv(1)


# What cannot be reached.

def test_refused(lab):
    """A port where nobody listens is refused at once."""
    lab.start()
    with within(2, "the refusal"), raises(ConnectionRefusedError, "connect"):
        lab.guest.tcp_connect(SERVER_ADDR, 9)


def test_unreachable(lab):
    """An address that the router calls unreachable fails at once."""
    lab.start()
    with within(2, "the failure"), raises(OSError, "connect"):
        lab.guest.tcp_connect(UNREACHABLE_ADDR, 80)


def test_timed_out(lab):
    """A connect that the host gives up fails in the guest then, not only after its own retries."""
    for name in ("tcp_syn_linear_timeouts", "tcp_syn_retries"):
        with contextlib.suppress(FileNotFoundError):
            lab.host.sysctl(f"ipv4/{name}", 1)
    lab.start()
    with within(20, "the failure"), raises(ConnectionRefusedError, "connect"):
        lab.guest.tcp_connect(SILENT_ADDR, 80, timeout=40)


def test_silent_peer_delays_nobody(lab):
    """Connections that get no answer do not hold up others."""
    lab.start()
    server = echo_server(lab)
    pending = [lab.guest.socket() for _ in range(20)]
    for sock in pending:
        sock.setblocking(False)
        sock.connect_ex((SILENT_ADDR, 80))
    with within(5, "ten other connections"):
        for _ in range(10):
            with lab.guest.tcp_connect(SERVER_ADDR, server.port) as sock:
                check_echo(sock)
    for sock in pending:
        sock.close()


# Many connections, and addresses.

def test_one_port_many_destinations(lab):
    """Connections from one guest port to several destinations stay apart."""
    lab.start()
    server = echo_server(lab)
    socks = []
    for addr in (SERVER_ADDR, DNS_ADDR, DNS2_ADDR):
        sock = lab.guest.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("0.0.0.0", 4000))
        sock.connect((addr, server.port))
        socks.append(sock)
    for number, sock in enumerate(socks):
        sock.sendall(b"%d" % number * 100)
    for number, sock in enumerate(socks):
        equal(receive_all(sock, 100), b"%d" % number * 100, "the echo")
        sock.close()


def test_port_reused_at_once(lab):
    """A guest port serves one connection after the other, each while the last one ends."""
    lab.start()
    server = echo_server(lab)
    for _ in range(20):
        sock = lab.guest.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("0.0.0.0", 4001))
        sock.connect((SERVER_ADDR, server.port))
        check_echo(sock, 100)
        # A reset leaves no TIME-WAIT in the guest, so that the port is free again at once.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)
        sock.close()


def test_500_connections(lab):
    """500 connections at once each echo their own data."""
    lab.start()
    server = echo_server(lab)
    socks = [lab.guest.tcp_connect(SERVER_ADDR, server.port) for _ in range(500)]
    for number, sock in enumerate(socks):
        sock.sendall(struct.pack("!I", number))
    for number, sock in enumerate(socks):
        equal(receive_all(sock, 4), struct.pack("!I", number), "the echo")
    for sock in socks:
        sock.close()


@deadline(90)
def test_connect_request_response(lab):
    """Two seconds of connect, exchange, close without an error."""
    lab.start()
    lab.server.spawn(tool_path("rr"), "server", SERVER_ADDR, 7000, log="rr.log")
    lab.server.wait_listening(7000)
    for mode in ("crr", "rr"):
        result = json.loads(lab.guest.run(tool_path("rr"), mode, SERVER_ADDR, 7000, 2, 64))
        equal(result["errors"], 0, f"errors of {mode}")
        check(result["n"] > 50, f"only {result['n']} exchanges of {mode} in two seconds")


def test_gateway_is_host_loopback(lab):
    """A connection to the gateway reaches a server on the host's loopback."""
    lab.start()
    server = echo_server(lab, lab.host, "127.0.0.1")
    with lab.guest.tcp_connect(ROUTER_ADDR, server.port) as sock:
        check_echo(sock)
    equal(server.peers[0][0], "127.0.0.1", "the client's address on the host")


def test_private_addresses(lab):
    """With --private the guest reaches the server, the gateway and the host's own address."""
    lab.start("--private")
    server = echo_server(lab)
    with lab.guest.tcp_connect(SERVER_ADDR, server.port) as sock:
        check_echo(sock)
    local = echo_server(lab, lab.host, "127.0.0.1")
    with lab.guest.tcp_connect("10.0.2.2", local.port) as sock:
        check_echo(sock)
    outer = echo_server(lab, lab.host, HOST_ADDR)
    with lab.guest.tcp_connect(HOST_ADDR, outer.port) as sock:
        check_echo(sock)


def test_small_mtu(lab):
    """A guest with an MTU of 576 moves a megabyte each way."""
    lab.start(mtu=576)
    server = echo_server(lab)
    data = pattern(1 << 20)
    with lab.guest.tcp_connect(SERVER_ADDR, server.port, timeout=30) as sock:
        lab.thread(sock.sendall, data)
        check(receive_all(sock, len(data)) == data, "the echo differs")


def test_urgent_data_is_data(lab):
    """A segment with the urgent flag loses no byte of the stream around it."""
    lab.start()
    received = []
    server = TcpServer(lab, lab.server.tcp_listen(),
                       lambda conn, _peer: received.append(receive_all(conn)))
    with lab.guest.tcp_connect(SERVER_ADDR, server.port) as sock:
        sock.sendall(b"before ")
        sock.send(b"!", socket.MSG_OOB)
        sock.sendall(b" after")
    eventually(lambda: received, 10, "the server has it all")
    contains(received[0].replace(b"!", b""), b"before  after", "the stream")
