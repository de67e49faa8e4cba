"""ICMP: echo through the host's ping sockets, and the errors that traceroute lives on."""

import json
import re
import socket
import struct

from lab import frames
from lab.checks import Skip, check, contains, equal, within
from lab.frames import ICMP, Link
from lab.lab import HOST_ADDR, ROUTER_ADDR, SERVER_ADDR, UNREACHABLE_ADDR

PARAMETER_PROBLEM = 12


def ping(lab, addr, *options, status=0):
    return lab.guest.run("ping", "-n", "-c3", "-i0.1", "-W5", *options, addr, status=status)


def test_ping_server(lab):
    """Echo requests to the server come back."""
    lab.start()
    contains(ping(lab, SERVER_ADDR), "3 received")


def test_ping_gateway(lab):
    """The gateway, which is the host, answers echo requests."""
    lab.start()
    contains(ping(lab, ROUTER_ADDR), "3 received")


def test_ping_sizes(lab):
    """Echo data of 0 to 65,000 bytes comes back whole."""
    lab.start()
    for size in (0, 1, 55, 1472, 9000, 65000):
        output = ping(lab, SERVER_ADDR, "-s", size)
        contains(output, "3 received", f"ping -s {size}")
        check("wrong data" not in output, f"ping -s {size} returned other data: {output}")


def test_ping_fragmented(lab):
    """An echo request that the guest has to fragment comes back."""
    lab.start(mtu=1500)
    contains(ping(lab, SERVER_ADDR, "-s", 4000), "3 received")


def test_ping_many_at_once(lab):
    """Several pings with ids and destinations of their own do not mix."""
    lab.start()
    pings = [(addr, lab.guest.spawn("ping", "-n", "-c5", "-i0.05", "-W5", addr,
                                    log=f"ping{number}.log"))
             for number in range(4) for addr in (SERVER_ADDR, ROUTER_ADDR, "198.51.100.53")]
    for addr, process in pings:
        equal(process.wait(30), 0, f"status of ping {addr}")


def test_ping_unreachable(lab):
    """The router's "unreachable" reaches the ping that caused it."""
    lab.start()
    contains(ping(lab, UNREACHABLE_ADDR, status=1), "nreachable")


def forbid_ping_sockets(lab):
    try:
        lab.host.sysctl("ipv4/ping_group_range", "1 0")
    except OSError:
        raise Skip("the sysctl takes a second group in the user namespace") from None


def test_ping_forbidden(lab):
    """Without permission for ping sockets, one line of the log names the sysctl."""
    forbid_ping_sockets(lab)
    daemon = lab.start()
    ping(lab, SERVER_ADDR, status=1)
    daemon.wait_log("net.ipv4.ping_group_range")
    equal(daemon.log().count("net.ipv4.ping_group_range"), 1, "lines about the sysctl")


def hops(output):
    """(hop, address) of each line of a traceroute."""
    return re.findall(r"^ *(\d+)[ .|-]+(\d+\.\d+\.\d+\.\d+)", output, re.M)


def test_traceroute_udp(lab):
    """traceroute by UDP shows the router, then the server."""
    lab.start()
    output = lab.guest.run("traceroute", "-n", "-w5", "-q1", SERVER_ADDR)
    equal(hops(output), [("1", ROUTER_ADDR), ("2", SERVER_ADDR)], f"the route in {output}")


def test_traceroute_icmp(lab):
    """traceroute by ICMP echo shows the router, then the server."""
    lab.start()
    output = lab.guest.run("traceroute", "-n", "-I", "-w5", "-q1", SERVER_ADDR)
    equal(hops(output), [("1", ROUTER_ADDR), ("2", SERVER_ADDR)], f"the route in {output}")


def test_mtr(lab):
    """mtr shows the router, then the server, without loss."""
    lab.start()
    output = lab.guest.run("mtr", "-n", "--json", "-c3", "-i0.3", SERVER_ADDR)
    found = [(hub["host"], hub["Loss%"]) for hub in json.loads(output)["report"]["hubs"]]
    equal(found, [(ROUTER_ADDR, 0), (SERVER_ADDR, 0)], "the hops")


def test_mtr_udp(lab):
    """mtr by UDP shows the router, then the server, without loss."""
    lab.start()
    output = lab.guest.run("mtr", "-n", "--udp", "--json", "-c3", "-i0.3", SERVER_ADDR)
    found = [(hub["host"], hub["Loss%"]) for hub in json.loads(output)["report"]["hubs"]]
    equal(found, [(ROUTER_ADDR, 0), (SERVER_ADDR, 0)], "the hops")


def test_ping_gateway_without_ping_sockets(lab):
    """The gateway answers echo requests even where the host allows no ping sockets."""
    forbid_ping_sockets(lab)
    lab.start()
    contains(ping(lab, ROUTER_ADDR, "-s", 20000), "3 received")


def test_ping_flood(lab):
    """2,000 echo requests as fast as they are answered: none is lost."""
    lab.start()
    output = lab.guest.run("ping", "-n", "-q", "-f", "-c2000", "-W5", SERVER_ADDR)
    contains(output, "2000 received")


def test_ping_path_mtu(lab):
    """Too large an echo request that may not be fragmented is told the path's MTU."""
    lab.router.ip("link set far mtu 1280")
    lab.start()
    for _ in range(2):  # also when the host knows already
        output = ping(lab, SERVER_ADDR, "-M", "do", "-s", "1400", status=1)
        contains(output, "mtu = 1280")
        lab.guest.run("ip", "route", "flush", "cache")


def test_ping_ttl(lab):
    """An echo request that dies at the router is told to the guest at once."""
    lab.start()
    with within(5, "ping -t 1"):
        output = ping(lab, SERVER_ADDR, "-t", "1", status=1)
    contains(output, "Time to live exceeded")


def test_parameter_problem(lab):
    """The pointer of a parameter problem still says which byte of the packet is meant."""
    link = Link(lab.daemon().start())
    server = lab.server.udp_socket(SERVER_ADDR)
    link.send(frames.udp(b"odd", SERVER_ADDR, server.getsockname()[1]))
    _, (_, port) = server.recvfrom(100)
    quote = frames.udp(b"odd", SERVER_ADDR, server.getsockname()[1], port)[14:]
    message = struct.pack("!BBHI", PARAMETER_PROBLEM, 0, 0, 9 << 24) + quote
    message = message[:2] + struct.pack("!H", frames.checksum(message)) + message[4:]
    lab.server.socket(socket.SOCK_RAW, proto=ICMP).sendto(message, (HOST_ADDR, 0))
    packet = link.expect(lambda p: p.proto == ICMP, "the error")
    equal(packet.l4[:2] + packet.l4[4:8], bytes([PARAMETER_PROBLEM, 0, 9, 0, 0, 0]),
          "type, code and pointer")
