"""A side that stands still for long: nothing is lost, little is held, nobody else waits."""

import signal
import statistics
import time

from lab.checks import check, deadline, equal
from lab.daemon import plain_program, tool_path
from lab.lab import SERVER_ADDR
from lab.servers import TcpServer, echo, pattern, receive_all, sha256
from lab.streams import Flow, Streams
from lab.valve import Valve

STILL_SECONDS = 60
RESIDENT_MAX_KB = 64 << 10
BULK, PART = 32 << 20, 2 << 20
STOPPED_SECONDS = 3  # longer than any retransmission timer that is not backed off


def start(lab, valve=False):
    """A daemon without sanitizers, whose memory is its own, and perhaps a valve in the link."""
    daemon = lab.daemon().start(binary=plain_program("postern"))
    gate = Valve(lab, daemon) if valve else None
    lab.guest.attach(daemon, fd=gate.fd if gate else None)
    lab.guest.configure()
    # A guest whose ARP requests have no answer for a minute drops what it sends itself.
    ours = daemon.ctl_json("status")["network"]["mac"]
    lab.guest.ip(f"neigh replace {lab.guest.gateway} lladdr {ours} dev eth0 nud permanent")
    return daemon, gate


def patient_echo(conn, peer):
    """An echo server that waits for longer than others."""
    conn.settimeout(2 * STILL_SECONDS)
    echo(conn, peer)


def round_trip(sock, count=200):
    """Median seconds of an exchange of 64 bytes."""
    def exchange():
        before = time.monotonic()
        sock.sendall(bytes(64))
        receive_all(sock, 64)
        return time.monotonic() - before
    return statistics.median(exchange() for _ in range(count))


def stand_still(daemon, seconds):
    """Waits while everything stands still; the daemon sleeps then."""
    before = daemon.cpu_seconds()
    time.sleep(seconds)
    used = daemon.cpu_seconds() - before
    print(f"{used:.2f} s of CPU in {seconds} s of standing still, {daemon.peak_kb()} kB at most")
    check(used < 0.1 + seconds / 100, f"the daemon took {used} s of CPU in {seconds} s of rest")


def send_both_ways(flow, size, seed):
    flow.send_down(pattern(size, 2 * seed))
    flow.send_up(pattern(size, 2 * seed + 1))


def nobody_was_reset(daemon):
    for reason in ("guest-reset", "peer-reset", "timed-out", "idle", "host-error", "preempted"):
        equal(daemon.stat(f"closed.{reason}"), 0, f"the number of flows closed: {reason}")


def finish(daemon, streams, flows, timeout=20):
    """All flows end soon, with all that was sent; the guest alone would ask again much later."""
    for flow in flows:
        flow.finish()
    start = time.monotonic()
    streams.wait(lambda: all(flow.done() for flow in flows), timeout, "all flows have ended")
    print(f"{time.monotonic() - start:.1f} s to the end, {daemon.peak_kb()} kB at most")
    for flow in flows:
        flow.verify()
    check(daemon.peak_kb() < RESIDENT_MAX_KB, f"the daemon grew to {daemon.peak_kb()} kB")
    nobody_was_reset(daemon)
    equal(daemon.stat("tcp.memory-pressure"), 0, "bytes that found no memory")


@deadline(180)
def test_host_reader_stops(lab):
    """A server that reads nothing for a minute gets all of it then; others do not notice."""
    daemon, _ = start(lab)
    echo_port = TcpServer(lab, lab.server.tcp_listen(), patient_echo).port
    listener, streams = lab.server.tcp_listen(), Streams(lab)
    with lab.guest.tcp_connect(SERVER_ADDR, echo_port) as other:
        round_trip(other)
        before = round_trip(other)
        sock = lab.guest.tcp_connect(SERVER_ADDR, listener.getsockname()[1])
        flow = Flow(streams, sock, listener)
        flow.send_up(pattern(BULK))
        streams.wait(lambda: flow.server.received > BULK // 4, 20, "a quarter has come")
        flow.server.read(False)
        streams.wait_still(lambda stream: stream.sent)
        for seconds in (1, STILL_SECONDS):
            during = round_trip(other)
            print(f"round trip {before * 1e6:.0f} us, {during * 1e6:.0f} us beside the flow")
            check(during < 5 * before + 0.01,
                  f"a round trip takes {during} s, {before} s without the flow that stands still")
            stand_still(daemon, seconds)
        check(flow.guest.sent < BULK, "the transfer was over too early")
        flow.server.read(True)
        finish(daemon, streams, [flow])


@deadline(180)
def test_guest_reader_stops(lab):
    """A guest that takes nothing from its link for a minute loses nothing, either way."""
    daemon, valve = start(lab, valve=True)
    listener, streams = lab.server.tcp_listen(), Streams(lab)
    flows = [Flow(streams, lab.guest.tcp_connect(SERVER_ADDR, listener.getsockname()[1]), listener)
             for _ in range(40)]  # whose windows are more than the link holds
    for number, flow in enumerate(flows):
        send_both_ways(flow, PART, number)
    streams.wait(lambda: all(f.guest.received == f.server.received == PART for f in flows), 30,
                 "the first half has come")
    blocked = daemon.stat("link.blocked")
    valve.shut()
    for number, flow in enumerate(flows):
        send_both_ways(flow, PART, 100 + number)
    streams.wait_still(lambda stream: stream.received)
    check(daemon.stat("link.blocked") > blocked, "the link is not full")
    stand_still(daemon, STILL_SECONDS)
    check(not any(flow.done() for flow in flows), "a transfer was over too early")
    valve.open()
    finish(daemon, streams, flows)


@deadline(240)
def test_many_flows_stand_still(lab):
    """200 flows whose server and whose guest read nothing for a minute share bounded memory."""
    for node in (lab.host, lab.server):  # so that a megabyte is enough to stand still
        node.sysctl("ipv4/tcp_wmem", "4096 65536 131072")
        node.sysctl("ipv4/tcp_rmem", "4096 65536 131072")
    daemon, valve = start(lab, valve=True)
    listener, streams, flows = lab.server.tcp_listen(), Streams(lab), []
    port, size, first = listener.getsockname()[1], 1 << 20, 1 << 19
    for number in range(200):
        flow = Flow(streams, lab.guest.tcp_connect(SERVER_ADDR, port), listener)
        send_both_ways(flow, first, number)
        streams.wait(lambda: flow.server.received == flow.guest.received == first, 20,
                     "the first bytes have come")
        flows.append(flow)
    # A few at a time, so that each has the window of one that is nearly alone.
    for number, flow in enumerate(flows):
        flow.server.read(False)
        flow.send_up(pattern(size, 500 + number))
        if number % 10 == 9:
            streams.wait_still(lambda stream: stream.sent)
    blocked = daemon.stat("link.blocked")
    valve.shut()
    for number, flow in enumerate(flows):
        flow.send_down(pattern(size, 1000 + number))
    streams.wait_still(lambda stream: stream.sent)
    check(daemon.stat("link.blocked") > blocked, "the link is not full")
    stand_still(daemon, STILL_SECONDS)
    check(not any(flow.done() for flow in flows), "a transfer was over too early")
    for flow in flows:
        flow.server.read(True)
    valve.open()
    finish(daemon, streams, flows, 60)


# A process that is stopped and goes on.

def stop_and_go_on(lab, choose):
    """Flows to an echo server and back stand still three times, and arrive whole.

    choose(daemon, server) is the process that is stopped."""
    daemon = lab.start()
    server = lab.server.spawn(tool_path("rr"), "server", SERVER_ADDR, 7000, log="rr.log")
    lab.server.wait_listening(7000)
    process, streams = choose(daemon, server), Streams(lab)
    idle = lab.guest.tcp_connect(SERVER_ADDR, 7000)
    ends = [streams.add(lab.guest.tcp_connect(SERVER_ADDR, 7000)) for _ in range(4)]

    def send(seed):
        for number, end in enumerate(ends):
            end.send(pattern(PART, seed + number))
    for seed in (0, 100, 200):
        before = sum(end.received for end in ends)
        send(seed)
        streams.wait(lambda: sum(end.received for end in ends) > before, 30, "a part has come back")
        process.send_signal(signal.SIGSTOP)
        send(seed + 50)
        streams.wait_still(lambda stream: stream.received)
        time.sleep(STOPPED_SECONDS)
        late = lab.guest.socket()
        late.setblocking(False)
        late.connect_ex((SERVER_ADDR, 7000))
        process.send_signal(signal.SIGCONT)
        late.settimeout(10)
        round_trip(late, 1)
        late.close()
    for end in ends:
        end.finish()
    streams.wait(lambda: all(end.done() for end in ends), 30, "all flows have ended")
    for number, end in enumerate(ends):
        sent = b"".join(pattern(PART, seed + number) for seed in range(0, 300, 50))
        equal(end.digest.hexdigest(), sha256(sent), "the checksum of the echo")
    round_trip(idle, 1)
    nobody_was_reset(daemon)


@deadline(120)
def test_daemon_stopped(lab):
    """Transfers survive that the daemon is stopped and goes on."""
    stop_and_go_on(lab, lambda daemon, _server: daemon.process)


@deadline(120)
def test_relay_stopped(lab):
    """Transfers survive that the guest's end of the link is stopped and goes on."""
    stop_and_go_on(lab, lambda _daemon, _server: lab.guest.relay)


@deadline(120)
def test_server_stopped(lab):
    """Transfers survive that the server is stopped and goes on."""
    stop_and_go_on(lab, lambda _daemon, server: server)
