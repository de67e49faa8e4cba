"""The guest's network after the host's: both families, and changes of the host while it runs."""

import contextlib
import select
import socket

import netns
from lab.checks import check, contains, equal, eventually, within
from lab.lab import (DNS_ADDR, DNS_ADDR6, HOST_ADDR, HOST_ADDR6, PREFIX6, ROUTER_ADDR,
                     ROUTER_LINK_ADDR6, SERVER_ADDR)
from lab.servers import TcpServer, echo, receive_all, udp_echo

OTHER_ADDR = "192.0.2.9"
OUR_LINK_LOCAL = "fe80::9855:9aff:fe55:9a55"
OTHER_PREFIX6 = "2001:db8:d:"


def give_ip6(lab, gateway=f"via {ROUTER_LINK_ADDR6} "):
    """Gives the host a global IPv6 address and a default route."""
    lab.host.ip(f"addr add {HOST_ADDR6}/64 dev uplink nodad",
                f"route add ::/0 {gateway}dev uplink")


def network(daemon):
    return daemon.ctl_json("status")["network"]


def await_network(daemon, what, **members):
    """Waits until the network in the status has these members; None is for one that is missing."""
    def same():
        now = network(daemon)
        return all(now.get(name) == value for name, value in members.items())
    eventually(same, 10, what)


def reset(sock):
    """Waits until the peer has reset the connection."""
    with contextlib.suppress(ConnectionResetError), within(10, "the reset"):
        raise AssertionError(f"{sock.recv(100)!r} instead of a reset")


# What the guest is given.

def test_mirrored(lab):
    """The guest is given the host's address and router of both families."""
    give_ip6(lab)
    daemon = lab.daemon().start()
    now = network(daemon)
    equal(now["address"], HOST_ADDR, "the IPv4 address")
    equal(now["ip6"], {"address": HOST_ADDR6, "prefix_len": 64, "gateway": ROUTER_LINK_ADDR6,
                       "address_source": "host", "interface": "uplink",
                       "loopback": ROUTER_LINK_ADDR6}, "IPv6")
    equal(now["dns"], [DNS_ADDR, ROUTER_LINK_ADDR6], "resolvers")
    contains(daemon.ctl("status"), f"{HOST_ADDR6}/64 via {ROUTER_LINK_ADDR6} (host uplink)")


def test_router_without_link_local_address(lab):
    """Where the host's route names no link-local router, its address is made from our MAC."""
    give_ip6(lab, gateway="")
    equal(network(lab.daemon().start())["ip6"]["gateway"], OUR_LINK_LOCAL, "the router")


def test_no_ip6(lab):
    """Without an IPv6 route, or with an MTU too small for it, the guest has none."""
    lab.host.ip(f"addr add {HOST_ADDR6}/64 dev uplink nodad")
    daemon = lab.daemon().start()
    check("ip6" not in network(daemon), "IPv6 without a route")
    daemon.stop()
    lab.host.ip(f"route add ::/0 via {ROUTER_LINK_ADDR6} dev uplink")
    daemon = lab.daemon().start("--mtu", "1279")
    check("ip6" not in network(daemon), "IPv6 with an MTU of 1279")
    contains(daemon.log(), "no IPv6 for the guest", "the log")


def test_private_layouts(lab):
    """--private and --private6 choose for one family each."""
    give_ip6(lab)
    daemon = lab.daemon().start("--private6")
    equal(network(daemon)["address"], HOST_ADDR, "the IPv4 address with --private6")
    equal(network(daemon)["ip6"], {"address": "fd00::15", "prefix_len": 64, "gateway": "fe80::2",
                                   "address_source": "flag", "loopback": "fd00::2"}, "IPv6")
    check("fd00::3" in network(daemon)["dns"], "no resolver fd00::3")
    daemon.stop()
    daemon = lab.daemon().start("--private")
    equal(network(daemon)["address"], "10.0.2.15", "the IPv4 address with --private")
    equal(network(daemon)["ip6"]["address"], HOST_ADDR6, "the IPv6 address with --private")


def test_one_family(lab):
    """With -4 and -6 the other family is not there; IPv4 frames are counted then."""
    give_ip6(lab)
    daemon = lab.daemon().start("-4")
    check("ip6" not in network(daemon), "IPv6 with -4")
    daemon.stop()
    daemon = lab.daemon().start("-6")
    check("address" not in network(daemon), "IPv4 with -6")
    equal(network(daemon)["ip6"]["address"], HOST_ADDR6, "the IPv6 address with -6")
    lab.guest.attach(daemon)
    lab.guest.configure()
    lab.guest.run_status("ping", "-n", "-c1", "-W1", SERVER_ADDR)
    eventually(lambda: daemon.stat("drop.ip4") > 0, 10, "IPv4 and ARP of the guest are dropped")
    equal(daemon.stat("arp.replies"), 0, "ARP replies")


# Changes while it runs.

def test_network_comes(lab):
    """A daemon that started without a network takes up the host's when it comes."""
    lab.host.ip("link del uplink")
    daemon = lab.daemon().start()
    equal(network(daemon)["address"], "10.0.2.15", "the address without a network")
    netns.connect(lab.host.space, "uplink", f"{HOST_ADDR}/24", lab.router.space, "near",
                  f"{ROUTER_ADDR}/24")
    equal(network(daemon)["address"], "10.0.2.15", "the address without a route")
    lab.host.ip(f"route add default via {ROUTER_ADDR}")
    await_network(daemon, "the host's address is taken up", address=HOST_ADDR, prefix_len=24,
                  gateway=ROUTER_ADDR, address_source="host", interface="uplink", ip6=None)
    give_ip6(lab)
    eventually(lambda: network(daemon).get("ip6", {}).get("address") == HOST_ADDR6, 10,
               "the host's IPv6 address is taken up")
    lab.guest.attach(daemon)
    lab.guest.configure()
    server = TcpServer(lab, lab.server.tcp_listen(), echo)
    with lab.guest.tcp_connect(SERVER_ADDR, server.port) as sock:
        sock.sendall(b"hello")
        equal(receive_all(sock, 5), b"hello", "the echo")


def test_address_lost(lab):
    """Connections from an address that the host loses end; the guest keeps its own meanwhile."""
    daemon = lab.start()
    server = TcpServer(lab, lab.server.tcp_listen(), echo)
    local = TcpServer(lab, lab.host.tcp_listen("127.0.0.1"), echo)
    sock = lab.guest.tcp_connect(SERVER_ADDR, server.port, timeout=20)
    to_host = lab.guest.tcp_connect(ROUTER_ADDR, local.port)
    lab.host.ip(f"addr del {HOST_ADDR}/24 dev uplink")
    reset(sock)
    equal([flow["reason"] for flow in daemon.ctl_json("flows", "--closed")], ["address-gone"],
          "reasons of ended flows")
    daemon.wait_log("the host has lost its network")
    equal(network(daemon)["address"], HOST_ADDR, "the guest's address")
    to_host.sendall(b"hello")
    equal(receive_all(to_host, 5), b"hello", "the echo of the host's loopback")
    lab.host.ip(f"addr add {HOST_ADDR}/24 dev uplink", f"route add default via {ROUTER_ADDR}")
    with lab.guest.tcp_connect(SERVER_ADDR, server.port) as again:
        again.sendall(b"hello")
        equal(receive_all(again, 5), b"hello", "the echo when the address is back")


def test_link_local_peer_on_another_interface(lab):
    """Datagrams to a link-local address leave through the interface that took the old one's place."""
    lab.add_ip6()
    lab.start()
    lab.guest.wait_ip6()
    server, sock = lab.router.udp_socket("::"), lab.guest.udp_socket("::")
    with lab.guest.space.entered():
        peer = "fe80::77", server.getsockname()[1], 0, socket.if_nametoindex("eth0")
    lab.router.ip("addr add fe80::77/64 dev near nodad")
    sock.sendto(b"one", peer)
    equal(server.recv(100), b"one", "what came")
    lab.replace_uplink(ip6=True)
    lab.router.ip("addr add fe80::77/64 dev near nodad")

    def arrives():
        with contextlib.suppress(OSError):  # it may be unreachable for a moment
            sock.sendto(b"two", peer)
        return select.select([server], [], [], 0.1)[0]
    eventually(arrives, 10, "the next one arrives")


def test_forward_on_another_interface(lab):
    """A forward of an interface is there again when another takes that one's place."""
    daemon = lab.start("-t", "%uplink/8080-8081:80-81", "-u", "%uplink/8080:80")
    TcpServer(lab, lab.guest.tcp_listen(port=81), echo)
    udp_echo(lab, lab.guest.udp_socket(port=80))
    lab.replace_uplink()
    daemon.wait_log("opened anew: UDP")
    with lab.router.tcp_connect(HOST_ADDR, 8081) as sock:
        sock.sendall(b"hello")
        equal(receive_all(sock, 5), b"hello", "the echo by TCP")
    sock = lab.router.udp_socket()
    sock.sendto(b"hello", (HOST_ADDR, 8080))
    equal(sock.recv(100), b"hello", "the echo by UDP")


def test_address_changed(lab):
    """When the host moves to another address, so does the guest's network and new traffic."""
    daemon = lab.start()
    peers = []
    server = TcpServer(lab, lab.server.tcp_listen(), lambda conn, peer: peers.append(peer[0]))
    lab.guest.tcp_connect(SERVER_ADDR, server.port).close()
    lab.host.ip(f"addr add {OTHER_ADDR}/32 dev uplink",
                f"route replace default via {ROUTER_ADDR} src {OTHER_ADDR}")
    await_network(daemon, "the other address is taken up", address=OTHER_ADDR, prefix_len=32)
    lab.guest.tcp_connect(SERVER_ADDR, server.port).close()
    eventually(lambda: peers == [HOST_ADDR, OTHER_ADDR], 10, "new traffic has the new source")


def test_ip6_comes_and_goes(lab):
    """Where IPv4 stays, IPv6 is the guest's as long as it is the host's."""
    daemon = lab.daemon().start()
    give_ip6(lab)
    eventually(lambda: "ip6" in network(daemon), 10, "IPv6 is there")
    lab.host.ip("route del ::/0")
    await_network(daemon, "IPv6 is gone", ip6=None, address=HOST_ADDR)


def test_guest_follows(lab):
    """A guest with addresses of its own making hears of another prefix, and of the end of IPv6."""
    lab.add_ip6()
    lab.start()
    lab.guest.wait_ip6()
    lab.host.ip(f"addr add {OTHER_PREFIX6}:2/64 dev uplink nodad",
                f"addr del {HOST_ADDR6}/64 dev uplink")
    lab.guest.wait_ip6(OTHER_PREFIX6)
    eventually(lambda: PREFIX6 in lab.guest.run("ip", "-6", "addr", "show", "deprecated"), 10,
               "the address in the old prefix is deprecated")
    contains(lab.guest.run("ip", "-6", "route"), "default via")
    lab.host.ip("route del ::/0")
    eventually(lambda: "default" not in lab.guest.run("ip", "-6", "route"), 10,
               "the guest's default route is gone")
    lab.host.ip(f"route add ::/0 via {ROUTER_LINK_ADDR6} dev uplink")
    eventually(lambda: "default" in lab.guest.run("ip", "-6", "route"), 10,
               "the guest's default route is back")


def test_resolvers_advertised(lab):
    """Other resolvers of the host are advertised at once."""
    lab.add_ip6()
    daemon = lab.start()
    lab.guest.wait_ip6()
    before = daemon.stat("ndp.router-advertisements")
    lab.host.resolv_conf(f"nameserver {DNS_ADDR6}\n")
    eventually(lambda: DNS_ADDR6 in network(daemon)["dns"], 10, "the resolver is taken up")
    eventually(lambda: daemon.stat("ndp.router-advertisements") > before, 5, "it is advertised")


def test_flags_stay(lab):
    """What the command line says stays, whatever becomes of the host."""
    daemon = lab.daemon().start("-a", "192.0.2.77/24", "--private6")
    before = network(daemon)
    lab.host.ip(f"addr add {OTHER_ADDR}/24 dev uplink")
    give_ip6(lab)
    lab.host.ip(f"addr del {HOST_ADDR}/24 dev uplink")
    daemon.wait_log("the host has lost its network")
    equal(network(daemon), before, "the network")
