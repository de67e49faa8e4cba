"""Rates: what passes in a while, what it does to others, and what is refused."""

import socket
import statistics
import threading
import time

from lab.checks import check, contains, deadline, equal, eventually
from lab.lab import SERVER_ADDR
from lab.servers import TcpServer, echo, pattern, receive_all, sha256

RATE = 1_000_000
BYTES = 6_000_000


def take_all(conn, results):
    """Reads to the end; notes when each part came, and what it was."""
    started, data, marks = None, bytearray(), []
    while part := conn.recv(65536):
        data += part
        started = started or time.monotonic()
        marks.append((time.monotonic(), len(data)))
    results.append((bytes(data), marks))


def speed(marks):
    """Bytes a second after the first second, in which bursts pass."""
    begin = next(mark for mark in marks if mark[0] >= marks[0][0] + 1)
    return (marks[-1][1] - begin[1]) / (marks[-1][0] - begin[0])


def latencies(sock, stop):
    times = []
    while not stop.is_set():
        begin = time.monotonic()
        sock.sendall(b"x")
        receive_all(sock, 1)
        times.append(time.monotonic() - begin)
        time.sleep(0.02)
    return times


def judge(results, times):
    (data, marks), = results
    equal(sha256(data), sha256(pattern(BYTES)), "what came")
    ratio = speed(marks) / RATE
    check(0.8 <= ratio <= 1.2, f"{ratio:.2f} of the rate")
    median = statistics.median(times)
    check(len(times) > 20 and median < 0.1, f"{len(times)} exchanges of {median:.3f} s beside it")


@deadline(120)
def test_from_the_guest(lab):
    """What the guest sends arrives whole and at the rate, and holds up nobody."""
    daemon = lab.start("--rate-out", "1M")
    results, stop, times = [], threading.Event(), []
    sink = TcpServer(lab, lab.server.tcp_listen(), lambda conn, _peer: take_all(conn, results))
    small = TcpServer(lab, lab.server.tcp_listen(), echo)
    bulk = lab.guest.tcp_connect(SERVER_ADDR, sink.port, timeout=60)
    other = lab.guest.tcp_connect(SERVER_ADDR, small.port)
    asker = lab.thread(lambda: times.extend(latencies(other, stop)))
    bulk.sendall(pattern(BYTES))
    status = daemon.ctl_json("status")["rates"]["out"]
    equal(status["max"], RATE, "the rate in the status")
    check(status["used"] > 0, f"nothing of the burst is used: {status}")
    bulk.shutdown(socket.SHUT_WR)
    eventually(lambda: results, 60, "all has come")
    stop.set()
    asker.join()
    judge(results, times)


@deadline(120)
def test_to_the_guest(lab):
    """Likewise what goes to the guest."""
    daemon = lab.start()
    daemon.ctl("config", "set", "rate-in", "1M/64Ki")

    def send(conn, _peer):
        conn.settimeout(60)
        conn.sendall(pattern(BYTES))
        conn.shutdown(socket.SHUT_WR)

    results, stop, times = [], threading.Event(), []
    source = TcpServer(lab, lab.server.tcp_listen(), send)
    small = TcpServer(lab, lab.server.tcp_listen(), echo)
    bulk = lab.guest.tcp_connect(SERVER_ADDR, source.port, timeout=60)
    other = lab.guest.tcp_connect(SERVER_ADDR, small.port)
    asker = lab.thread(lambda: times.extend(latencies(other, stop)))
    take_all(bulk, results)
    stop.set()
    asker.join()
    judge(results, times)
    equal(daemon.stat("tcp.timeouts"), 0, "the retransmission timeouts")


def test_shown(lab):
    """The rate of a flow is what it is, flows are sorted by it, and it is 0 once nothing goes."""
    daemon = lab.start("--rate-in", "1M/64Ki")
    stop = threading.Event()

    def send(conn, _peer):
        conn.settimeout(60)
        while not stop.is_set():
            conn.sendall(pattern(10000))
        conn.shutdown(socket.SHUT_WR)

    source = TcpServer(lab, lab.server.tcp_listen(), send)
    small = TcpServer(lab, lab.server.tcp_listen(), echo)
    other = lab.guest.tcp_connect(SERVER_ADDR, small.port)
    other.sendall(bytes(100))
    receive_all(other, 100)
    bulk = lab.guest.tcp_connect(SERVER_ADDR, source.port, timeout=60)
    taker = lab.thread(lambda: take_all(bulk, []))

    def flows(sort):
        return {flow["peer"]["port"]: flow for flow in daemon.ctl_json("flows", "tcp", "sort", sort)}
    eventually(lambda: 0.9 < flows("rate")[source.port]["rate_in"] / RATE < 1.1, 60, "the rate is known")
    eventually(lambda: not flows("rate")[small.port]["rate_out"], 20, "the other rests")
    equal([list(flows(sort)) for sort in ("rate", "rate_in", "idle")],
          [[source.port, small.port], [source.port, small.port], [small.port, source.port]], "the orders")
    equal(list(flows("rate")[source.port])[-1], "key", "the last member")
    head, row = (line.split() for line in daemon.ctl("flows", "sort", "rate", "limit", "1").splitlines())
    rate = row[head.index("IN/s") - len(head)]  # there is no name
    check(rate.endswith("K"), f"no rate near 977K: {row}")
    stop.set()
    eventually(lambda: not any(flow["rate_in"] for flow in flows("rate").values()), 60, "nothing goes")
    taker.join()


def test_taken_back(lab):
    """Without the rate, what waited goes at once."""
    daemon = lab.start("--rate-out", "10k/2k")
    results = []
    sink = TcpServer(lab, lab.server.tcp_listen(), lambda conn, _peer: take_all(conn, results))
    sock = lab.guest.tcp_connect(SERVER_ADDR, sink.port, timeout=30)
    sender = lab.thread(lambda: (sock.sendall(pattern(BYTES)), sock.shutdown(socket.SHUT_WR)))
    eventually(lambda: daemon.ctl_json("status")["rates"]["out"]["waiting"] == 1, 10, "it waits")
    daemon.ctl("config", "set", "rate-out")
    sender.join()
    eventually(lambda: results, 20, "all has come")
    equal(sha256(results[0][0]), sha256(pattern(BYTES)), "what came")


def test_udp(lab):
    """Datagrams beyond the rate are lost, and counted."""
    daemon = lab.start("--rate-out", "10k/10k")
    server, sock = lab.server.udp_socket(), lab.guest.udp_socket()
    for _ in range(200):
        sock.sendto(bytes(1000), (SERVER_ADDR, server.getsockname()[1]))
    eventually(lambda: daemon.stat("udp.over-rate-out") > 150, 10, "datagrams are counted as lost")
    check(len(server.recv(2000)) == 1000, "the first did not come")


def test_new_flows(lab):
    """More new connections than allowed are refused, which is told and counted."""
    daemon = lab.start("--max-new-flows", "5")
    server = TcpServer(lab, lab.server.tcp_listen(), echo)
    opened = []
    with daemon.qmp() as session:
        refused = 0
        for _ in range(20):
            try:
                opened.append(lab.guest.tcp_connect(SERVER_ADDR, server.port))
            except ConnectionRefusedError:
                refused += 1
        check(5 <= len(opened) < 15 and refused, f"{len(opened)} opened, {refused} refused")
        equal(session.receive_event("LIMIT_REACHED")["limit"], "new-flows", "the limit")
        equal(daemon.stat("flow.over-rate"), refused, "the counter")
    opened[0].sendall(b"x")
    equal(receive_all(opened[0], 1), b"x", "the echo")
    contains(daemon.ctl("status"), "new flows", "the status")
