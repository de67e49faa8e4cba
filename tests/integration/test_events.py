"""What the control socket tells unasked, and posternctl monitor."""

import errno
import json
import re

from lab.checks import check, contains, equal, eventually, raises
from lab.daemon import program
from lab.frames import Link, dhcp, eth, ip
from lab.lab import HOST_ADDR, ROUTER_ADDR, SERVER_ADDR
from lab.servers import TcpServer, echo, receive_all

FLOWS = ["FLOW_OPENED", "FLOW_CLOSED"]
DHCPREQUEST, DHCPRELEASE = 3, 7


def one_exchange(lab, port):
    with lab.guest.tcp_connect(SERVER_ADDR, port) as sock:
        sock.sendall(b"x" * 1000)
        receive_all(sock, 1000)


def test_life(lab):
    """A guest that comes, takes a lease and goes is told of, step by step."""
    daemon = lab.daemon().start()
    with daemon.qmp() as session:
        with Link(daemon):
            event = session.receive_event("CLIENT_CONNECTED")
            check(event["pid"] > 0, f"the client's process: {event}")
        check(session.receive_event("CLIENT_DISCONNECTED")["reason"], "no reason")
    with daemon.qmp() as session:
        lab.guest.attach(daemon)
        lab.guest.run("udhcpc", "-n", "-q", "-i", "eth0", "-s", "/bin/true", "-x", "hostname:web")
        lease = session.receive_event("LEASE_GRANTED")["lease"]
        equal((lease["address"], lease["hostname"]), (HOST_ADDR, "web"), "the lease")
        lab.guest.run("udhcpc", "-n", "-q", "-i", "eth0", "-s", "/bin/true")
        session.receive_event("LEASE_RENEWED")
        daemon.process.terminate()
        session.receive_event("SHUTDOWN")


def test_flows(lab):
    """Flows are told of to those who ask for them, with what query-flows shows."""
    daemon = lab.start()
    server = TcpServer(lab, lab.server.tcp_listen(), echo)
    with daemon.qmp() as session, daemon.qmp() as other, daemon.qmp() as third:
        session.execute("events-subscribe", events=FLOWS, proto="tcp", port=server.port)
        third.execute("events-subscribe", events=FLOWS, proto="udp")
        one_exchange(lab, server.port)
        opened = session.receive_event("FLOW_OPENED")
        equal(opened["peer"], {"addr": SERVER_ADDR, "port": server.port}, "the peer")
        closed = session.receive_event("FLOW_CLOSED")
        equal((closed["id"], closed["bytes_out"], closed["bytes_in"], closed["reason"]),
              (opened["id"], 1000, 1000, "finished"), "the end of the flow")
        # whoever did not ask has heard nothing of it when it asks for something else
        for silent in (other, third):
            silent.send_raw(b'{"execute": "query-version"}\n')
            while "return" not in (message := silent.receive()):
                check(message["event"] not in FLOWS, f"an event that nobody asked for: {message}")


def test_refused_connection(lab):
    """A flow that ends in the turn in which it began is told of whole."""
    daemon = lab.start()
    with daemon.qmp() as session:
        session.execute("events-subscribe", events=FLOWS)
        with raises(ConnectionRefusedError):
            lab.guest.tcp_connect(SERVER_ADDR, 9)
        opened = session.receive_event("FLOW_OPENED")
        closed = session.receive_event("FLOW_CLOSED")
        equal((closed["id"], closed["reason"], closed["error"], closed["errno"]),
              (opened["id"], "refused", "ECONNREFUSED", errno.ECONNREFUSED), "the end of the flow")


def test_storm(lab):
    """Thousands of bad frames are two or three events, which count them all."""
    daemon = lab.daemon().start()
    with daemon.qmp() as session, Link(daemon) as link:
        for _ in range(3000):
            link.send(eth(0x1234, bytes(50)))
        count, events = 0, 0
        while count < 3000:
            event = session.receive_event("FRAMES_DROPPED")
            if event["reason"] == "ethertype":
                count += event["count"]
                events += 1
        equal(count, 3000, "the frames that were counted")
        check(events <= 30, f"{events} events for a storm")


def count_until(session, name, wanted, data):
    """Takes events until those called `name` count `wanted`, the last of them with `data`; how many."""
    count, events = 0, 0
    while count < wanted:
        event = session.receive_event(name)
        count += event["count"]
        events += 1
    equal(count, wanted, f"what {name} counts")
    for key, value in data.items():
        equal(event[key], value, f"{key} of the last {name}")
    return events


def test_hostile_life(lab):
    """A client that comes and goes, and leases taken and given back, without end, are few events that
    count them all."""
    daemon = lab.daemon().start()
    with daemon.qmp() as session:
        for _ in range(300):
            with Link(daemon) as link:
                link.alive()
        events = count_until(session, "CLIENT_CONNECTED", 300, {})
        check(events <= 60, f"{events} events for a client that comes again and again")
    with daemon.qmp() as session, Link(daemon) as link:
        for _ in range(300):
            link.send(dhcp(DHCPREQUEST, bytes([50, 4]) + ip(HOST_ADDR)))
            link.send(dhcp(DHCPRELEASE, ciaddr=HOST_ADDR, src=HOST_ADDR, dst=ROUTER_ADDR))
        events = count_until(session, "LEASE_ENDED", 300, {"reason": "released"})
        check(events <= 60, f"{events} events for a lease that is given back again and again")
        equal(daemon.ctl_json("status")["leases"], [], "the leases that are left")
        summed = {row["name"]: row["value"] for row in daemon.ctl_json("stats")}["events.summed"]
        check(summed > 500, f"{summed} events were summed up")


def test_lease_expires(lab):
    """A lease that nobody renews ends, is told of, and is shown no more."""
    daemon = lab.daemon().start("--lease-time", 2)
    with daemon.qmp() as session, Link(daemon) as link:
        link.send(dhcp(DHCPREQUEST, bytes([50, 4]) + ip(HOST_ADDR)))
        equal(session.receive_event("LEASE_GRANTED")["lease"]["address"], HOST_ADDR, "the lease")
        contains(daemon.ctl("status"), f"Leases      {HOST_ADDR} bound")
        equal(session.receive_event("LEASE_ENDED")["reason"], "expired", "why it ended")
        equal(daemon.ctl_json("status")["leases"], [], "the leases")
        contains(daemon.ctl("status"), "Leases      none\n")
        contains(daemon.ctl("leases"), "none")


def test_limit(lab):
    """A limit that is reached is told of."""
    daemon = lab.start("--max-flows", "1")
    server = TcpServer(lab, lab.server.tcp_listen(), echo)
    with daemon.qmp() as session:
        with lab.guest.tcp_connect(SERVER_ADDR, server.port):
            with raises(ConnectionRefusedError):
                lab.guest.tcp_connect(SERVER_ADDR, server.port)
            equal(session.receive_event("LIMIT_REACHED")["limit"], "flows", "the limit")


def test_slow_reader(lab):
    """Who does not read loses events, which it is told; the others, and the guest, do not wait."""
    daemon = lab.start()
    server = TcpServer(lab, lab.server.tcp_listen(), echo)
    with daemon.qmp() as slow, daemon.qmp() as quick:
        for session in (slow, quick):
            session.execute("events-subscribe", events=FLOWS, proto="udp")
        for port in range(10000, 13000):
            with lab.guest.udp_socket(port=port) as sock:
                sock.sendto(b"x", (SERVER_ADDR, 9))
            quick.receive_event("FLOW_OPENED")
        one_exchange(lab, server.port)
        told, lost = 0, 0
        while told + lost < 3000:
            message = slow.receive()
            told += message.get("event") == "FLOW_OPENED"
            lost += message["data"]["count"] if message.get("event") == "EVENTS_LOST" else 0
        equal(told + lost, 3000, "events told or counted as lost")
        check(lost, "nothing was lost: the test is too small for the buffers")


def test_monitor(lab):
    """posternctl monitor prints lines, or the events themselves, as they come."""
    daemon = lab.start()
    server = TcpServer(lab, lab.server.tcp_listen(), echo)

    def monitor(*arguments, log):
        process = daemon.node.spawn(program("posternctl"), "-s", daemon.control, "monitor", *arguments,
                                    log=log)
        return process, daemon.node.folder / log
    before = daemon.ctl_json("status")["control"]["clients"]
    process, lines = monitor("FLOW_OPENED,FLOW_CLOSED", "--proto", "tcp", log="lines")
    raw_process, raw = monitor("--json", "--port", str(server.port), log="raw")
    eventually(lambda: daemon.ctl_json("status")["control"]["clients"] == before + 2, 20,
               "both are connected")
    # connected is not yet subscribed: the exchange is repeated until it is seen
    def seen():
        one_exchange(lab, server.port)
        return all(path.exists() and "FLOW_CLOSED" in path.read_text() for path in (lines, raw))
    eventually(seen, 20, "both see a flow that ends")
    line = next(l for l in lines.read_text().splitlines() if "FLOW_CLOSED" in l)
    check(re.match(r"\d\d:\d\d:\d\d\.\d\d\d FLOW_CLOSED ", line), f"no time in {line}")
    contains(line, f" tcp out {HOST_ADDR}:")
    contains(line, f" {SERVER_ADDR}:{server.port} finished out 1.0K in 1.0K")
    check(not [l for l in lines.read_text().splitlines() if "FLOW_" not in l], "only what was chosen")
    for text in raw.read_text().splitlines():
        contains(json.loads(text), "event")
    raw_process.terminate()
    daemon.stop()
    equal(process.wait(20), 1, "the exit status when the daemon ends")
    contains(lines.read_text(), "the daemon closed the connection")
