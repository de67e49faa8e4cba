"""Options that are switched while flows and forwards live on."""

import re
import socket

from lab.checks import check, contains, equal, eventually, raises, within
from lab.daemon import ask_api, program
from lab.frames import ICMP, Link, dhcp, ip4
from lab.lab import HOST_ADDR, ROUTER_ADDR, SERVER_ADDR
from lab.servers import TcpServer, echo, receive_all, udp_echo
from test_config import flags
from test_manual import PAGE
from test_multicast import MDNS, MDNS_PORT, joined, listen

IP_RECVERR = 11  # linux/in.h; the socket module lacks it

# One value for each option that takes one, other than its default.
VALUES = {
    "SECONDS": "77", "N": "77", "RATE": "9M/99k", "SIZE": "99k", "BYTES": "1400", "NAME": "vm.example",
    "DOMAIN": "vm.example", "ADDRESS": "192.0.2.99", "NAME=ADDRESS": "vm.example=192.0.2.99",
    "off|auto|on": "auto", "[=GROUP:PORT,...]": "239.1.2.3:4000", "auto|strict|none": "none", "FD": "9",
    "PATH": "/x", "USER": "nobody", "MASK": "24", "MAC": "9a:55:9a:55:9a:99", "INTERFACE": "uplink",
    "[=CIDR]": "10.0.9.0/24", "SPEC": "99", "ADDRESS[/LENGTH]": "192.0.2.99/24",
}


def options(lab):
    """(name, form of its value or "") of each option, as --help has them."""
    form = r"^  (?:-., |    )--([a-z0-9-]+)(\[=\S+\]| [A-Z]\S*| \S+\|\S+)?(?=\s|$)"
    found = [(name, value.strip()) for name, value in
             re.findall(form, lab.host.run(program("postern"), "--help"), re.M)]
    check(len(found) > 60, f"{len(found)} options")
    return found


def fixed_options():
    """The options that the manual page says are fixed."""
    text = PAGE.read_text()
    part = text[text.index("These options are fixed"):]
    return {name for line in re.findall(r"^\.It Cm (.*)", part[:part.index(".El")], re.M)
            for name in line.split(" , ")}


def config_set(daemon, option, *values):
    daemon.ctl("config", "set", option, *values)


def echoes(sock, data=b"still there"):
    """The connection stands."""
    sock.sendall(data)
    equal(receive_all(sock, len(data)), data, "the echo")


def test_each_option(lab):
    """Each option is changed and changed back while all runs, but for those that the manual names."""
    daemon = lab.start()
    before = daemon.ctl_json("config")
    fixed = set()
    with daemon.qmp() as session:
        for name, form in options(lab):
            values = [VALUES[form]] if form else ["on"]
            reply = session.request("config-set", {"option": name, "values": values})
            if "while postern runs" in reply.get("error", {}).get("desc", ""):
                fixed.add(name)
                continue
            equal(reply.get("return"), {}, f"the reply to {name}")
            flag = f"--{name}={values[0]}" if form else f"--{name}"
            now = session.execute("query-config")["flags"]
            check(flag.replace("trace", "debug") in now, f"{flag} is not in {now}")
            session.execute("config-set", option=name, values=[])
    equal(sorted(fixed), sorted(fixed_options()), "the options that are fixed")
    equal(daemon.ctl_json("config"), before, "the configuration")
    server = TcpServer(lab, lab.server.tcp_listen(), echo)
    echoes(lab.guest.tcp_connect(SERVER_ADDR, server.port))


def state(daemon):
    """What a daemon shows of itself, but for what each has of its own."""
    status = daemon.ctl_json("status")
    for name in "pid", "uptime_ms", "problems":
        del status[name]
    forwards = daemon.ctl_json("forwards")
    for forward in forwards:
        del forward["id"]
    return {"status": status, "dns": {name: daemon.ctl_json("dns")[name] for name in ("records", "cache")},
            "forwards": sorted(forwards, key=lambda f: (f["proto"], f["host_port"]))}


def test_recreated(lab):
    """Whatever was changed of a rich configuration, the flags that are returned make the same daemon again."""
    one = lab.daemon().start(
        "--private=10.0.9.0/24", "--private6", "--freebind", "--outbound-if4", "uplink", "--debug", "--multicast",
        "--hostname", "vm.example", "--dns", "none", "-S", "none", "--map-host-loopback", "none", "--no-map-gw",
        "--rate-in", "5M/1Mi", "--rate-out", "6M", "--max-flows", "100", "--max-new-flows", "50", "--lease-time",
        "600", "--dns-record", "a.example=192.0.2.1", "--dns-record", "a.example=2001:db8::1", "--mtu", "1400",
        "-t", "2222:22,8000-8010:9000-9010,~8005", "-t", "0:80", "-u", "[::1]/5353:[fd00::15]/53",
        "-u", "~1-20000,~20100-65535")
    clashes = {"no-tcp", "no-udp", "no-dns-relay"}  # with forwards, and with records
    changed = {name: VALUES[form] if form else "on" for name, form in options(lab)
               if name not in fixed_options() | clashes}
    for number in range(2):
        if number:
            with one.qmp() as session:
                for name, value in changed.items():
                    session.execute("config-set", option=name, values=[value])
            one.ctl("forward", "add", "tcp", "127.0.0.2/2300-2310:10.0.9.15/300-310")
            one.ctl("forward", "remove", "tcp", "2222:22")
            one.ctl("forward", "set", "udp", "%uplink/5454:54", "~1-20000,~20100-65535", "[::1]/0:99")
        given = flags(one)
        check(number == 0 or len(given) > len(changed) + 5, f"the flags are only {given}")
        before = state(one)
        one.stop()
        two = lab.daemon().start(*given)
        equal(sorted(flags(two)), sorted(given), "the flags of the second daemon")
        equal(state(two), before, "what the second daemon shows")
        one = two


def test_each_limit(lab):
    """No limit, rate or time-out is fixed."""
    limits = {name for name, _ in options(lab) if re.search(r"^max-|^rate-|-timeout$|^lease-time$|-size$", name)}
    check(len(limits) > 20, f"{limits}")
    equal(limits & fixed_options(), set(), "limits that are fixed")


def test_mtu_of_ip6(lab):
    """With IPv6 on, no MTU below 1280 is taken (RFC 8200 5); without, a smaller one is."""
    daemon = lab.daemon().start("--private", "--private6")
    config_set(daemon, "mtu", "1280")
    before = daemon.ctl_json("config")
    for mtu in "1279", "68":
        contains(daemon.ctl("config", "set", "mtu", mtu, status=1), f"--mtu '{mtu}' is too small for the guest's IPv6")
    equal(daemon.ctl_json("config"), before, "the configuration")
    config_set(daemon, "mtu", "0")
    daemon.stop()
    for args in ["--ipv4-only"], ["--private6", "--mtu", "1279"]:
        daemon = lab.daemon().start("--private", *args)
        config_set(daemon, "mtu", "68")
        check("--mtu=68" in daemon.ctl_json("config")["flags"], f"the MTU with {args}")


def test_no_tcp(lab):
    """TCP that is switched off refuses what is new; a connection that stands goes on, and others when it is on."""
    daemon = lab.start()
    server = TcpServer(lab, lab.server.tcp_listen(), echo)
    first = lab.guest.tcp_connect(SERVER_ADDR, server.port)
    echoes(first)
    config_set(daemon, "no-tcp", "on")
    with raises(ConnectionRefusedError, "connect"), within(5):
        lab.guest.tcp_connect(SERVER_ADDR, server.port)
    echoes(first)
    contains(daemon.ctl("forward", "add", "tcp", "2222:22", status=1), "TCP is switched off", "the error")
    config_set(daemon, "no-tcp", "off")
    echoes(lab.guest.tcp_connect(SERVER_ADDR, server.port))
    echoes(first)
    daemon.ctl("forward", "add", "tcp", "2222:22")
    contains(daemon.ctl("config", "set", "no-tcp", "on", status=1), "there are forwards", "the error")
    daemon.ctl("forward", "set", "tcp")
    config_set(daemon, "no-tcp", "on")


def test_no_udp(lab):
    """Likewise UDP, with DNS."""
    daemon = lab.start()
    server = lab.server.udp_socket()
    udp_echo(lab, server)
    old, new = lab.guest.udp_socket(), lab.guest.udp_socket()
    for sock in old, new:
        sock.connect((SERVER_ADDR, server.getsockname()[1]))
    echo_of(old)
    config_set(daemon, "no-udp", "on")
    new.setsockopt(socket.SOL_IP, IP_RECVERR, 1)
    new.send(b"x")
    with within(5), raises(OSError, "recv"):
        new.recv(100)
        raise AssertionError("a datagram came")
    echo_of(old)
    config_set(daemon, "no-udp", "off")
    with lab.guest.udp_socket() as third:
        third.connect((SERVER_ADDR, server.getsockname()[1]))
        echo_of(third)


def echo_of(sock):
    sock.send(b"hello")
    equal(sock.recv(10), b"hello", "the echo")


def test_no_icmp(lab):
    """Likewise echo."""
    daemon = lab.start()
    ping = ("ping", "-n", "-c1", "-W5", SERVER_ADDR)
    lab.guest.run(*ping)
    config_set(daemon, "no-icmp", "on")
    contains(lab.guest.run(*ping, status=1), "filtered", "what ping says")
    config_set(daemon, "no-icmp", "off")
    lab.guest.run(*ping)


def test_no_dhcp(lab):
    """DHCP that is switched off is silent, and is there again when it is on."""
    daemon = lab.daemon().start()
    with Link(daemon) as link:
        def asked():
            link.send(dhcp(1))
            link.alive()
            return daemon.stat("dhcp.offers")
        equal(asked(), 1, "the offers")
        config_set(daemon, "no-dhcp", "on")
        equal(asked(), 1, "the offers while it is off")
        config_set(daemon, "no-dhcp", "off")
        equal(asked(), 2, "the offers when it is on again")


def test_no_ra(lab):
    """A guest loses its router, and its route, at once, and has it again at once; its address stays."""
    lab.add_ip6()
    lab.host.sysctl("ipv6/conf/all/forwarding", 0)
    daemon = lab.start()
    lab.guest.wait_ip6()
    route = lambda: lab.guest.run("ip", "-6", "route", "show", "default").strip()  # noqa: E731
    eventually(route, 20, "the guest has a route")
    addresses = lab.guest.addresses6()
    for option in "no-ra", "no-ndp":
        config_set(daemon, option, "on")
        eventually(lambda: not route(), 5, f"the route is gone with {option}")
        equal(lab.guest.addresses6(), addresses, "the addresses")
        config_set(daemon, option, "off")
        eventually(route, 5, f"the route is there again without {option}")


def test_maps(lab):
    """The host's loopback is at another address for new connections; one that stands goes on."""
    daemon = lab.start()
    server = TcpServer(lab, lab.host.tcp_listen("127.0.0.1"), echo)
    first = lab.guest.tcp_connect(ROUTER_ADDR, server.port)
    echoes(first)
    config_set(daemon, "map-host-loopback", "203.0.113.99")
    echoes(lab.guest.tcp_connect("203.0.113.99", server.port))
    with raises(ConnectionRefusedError, "connect"):
        lab.guest.tcp_connect(ROUTER_ADDR, server.port)
    echoes(first)
    config_set(daemon, "map-host-loopback", "none")
    config_set(daemon, "map-guest-addr", "203.0.113.98")
    own = TcpServer(lab, lab.host.tcp_listen(HOST_ADDR), echo)
    echoes(lab.guest.tcp_connect("203.0.113.98", own.port))
    echoes(first)


def test_outbound(lab):
    """New connections leave from another address."""
    lab.host.ip("addr add 192.0.2.44/24 dev uplink")
    daemon = lab.start()
    server = TcpServer(lab, lab.server.tcp_listen(), echo)
    first = lab.guest.tcp_connect(SERVER_ADDR, server.port)
    echoes(first)
    config_set(daemon, "outbound", "192.0.2.44")
    echoes(lab.guest.tcp_connect(SERVER_ADDR, server.port))
    echoes(first)
    equal([addr for addr, _ in server.peers], [HOST_ADDR, "192.0.2.44"], "the sources")


def test_multicast(lab):
    """A group that the guest is in already is followed when that is switched on, and left when off."""
    daemon = lab.start()
    sock = listen(lab.guest, "eth0", MDNS, MDNS_PORT)
    config_set(daemon, "multicast", "on")
    eventually(lambda: joined(lab.host, "uplink", MDNS), 20, "the host is in the group")
    contains(daemon.ctl_json("config")["flags"], "--multicast", "the flags")
    config_set(daemon, "multicast", "239.1.2.3:4000")
    eventually(lambda: not joined(lab.host, "uplink", MDNS), 10, "the host has left the group")
    config_set(daemon, "multicast", "on")
    eventually(lambda: joined(lab.host, "uplink", MDNS), 20, "the host is in the group again")
    config_set(daemon, "no-udp", "on")
    eventually(lambda: not joined(lab.host, "uplink", MDNS), 10, "the host has left the group with UDP")
    config_set(daemon, "no-udp", "off")
    eventually(lambda: joined(lab.host, "uplink", MDNS), 20, "the host is in the group with UDP")
    config_set(daemon, "multicast")
    eventually(lambda: not joined(lab.host, "uplink", MDNS), 10, "the host has left the group")
    sock.close()


def test_fragments(lab):
    """Another limit of datagrams under reassembly counts from the next on."""
    daemon = lab.daemon().start()
    with Link(daemon) as link:
        def begin(count, first):
            link.send(*(ip4(ICMP, bytes(64), SERVER_ADDR, ident=number, fragment=0x2000)
                        for number in range(first, first + count)))
            link.alive()
            return daemon.stat("drop.fragment-limit")
        equal(begin(8, 1), 0, "the drops below the limit")
        config_set(daemon, "max-fragments", "4")
        equal(begin(3, 20), 3, "the drops above a lower limit")
        config_set(daemon, "max-fragments", "100")
        equal(begin(50, 40), 3, "the drops below a higher limit")
    limit, = (row for row in daemon.ctl_json("status")["limits"] if row["limit"] == "fragments")
    equal((limit["used"], limit["max"]), (0, 100), "the limit in the status, of a guest that has left")


def test_log(lab):
    """Counters are told when that is switched on, and a log file becomes smaller."""
    path = lab.folder / "postern.log"
    daemon = lab.daemon().start("--log-file", path, "--debug")
    with Link(daemon) as link, daemon.qmp() as session:
        session.execute("config-set", option="log-size", values=["40k"])
        for number in range(1000):
            session.execute("config-set", option="icmp-timeout", values=[str(number % 9 + 1)])
        contains(path.read_text(), "older lines cut off", "the log")
        check(path.stat().st_size <= 40 * 1024, "the file is larger than allowed")
        session.execute("config-set", option="stats", values=["1"])
        link.alive()
        eventually(lambda: "counters:" in path.read_text(), 10, "the counters are told")


def test_one_off(lab):
    """A daemon that was to stay ends with its guest."""
    daemon = lab.daemon().start()
    with Link(daemon) as link:
        link.alive()
        config_set(daemon, "one-off", "on")
    daemon.wait_exit(0)


def forward_set(daemon, proto, *specs):
    return [(f["host_port"], f["guest_port"]) for f in daemon.ctl_json("forward", "set", proto, *specs)]


def test_forward_set(lab):
    """A connection lives on whatever becomes of the rule that it came through: kept, dropped, added again."""
    daemon = lab.start("-t", "2222:22,2223:23,2224:24")
    for port in 22, 23, 24, 33:
        TcpServer(lab, lab.guest.tcp_listen(port=port), echo)
    socks = {port: lab.host.tcp_connect("127.0.0.1", port) for port in (2222, 2223, 2224)}
    for sock in socks.values():
        echoes(sock)
    flows = [flow["id"] for flow in daemon.ctl_json("flows")]

    def all_live():
        for sock in socks.values():
            echoes(sock)
        equal([flow["id"] for flow in daemon.ctl_json("flows")], flows, "the flows")
    equal(forward_set(daemon, "tcp", "2222:22", "2224:33"), [(2222, 22), (2224, 33)], "kept, dropped, turned")
    all_live()
    with raises(ConnectionRefusedError, "connect to what was dropped"):
        lab.host.tcp_connect("127.0.0.1", 2223)
    echoes(lab.host.tcp_connect("127.0.0.1", 2224))
    flows = [flow["id"] for flow in daemon.ctl_json("flows")]
    equal(forward_set(daemon, "tcp", "2222:22,2223:23", "2224:24"), [(2222, 22), (2223, 23), (2224, 24)], "all again")
    all_live()
    blocker = lab.host.tcp_listen("0.0.0.0", 2225)
    contains(daemon.ctl("forward", "set", "tcp", "2223:24", "2225:25", status=1),
             "TCP *:2225: Address already in use", "the error")
    all_live()
    blocker.close()
    equal(forward_set(daemon, "tcp"), [], "none")
    all_live()
    equal(forward_set(daemon, "tcp", "2222-2224:22-24"), [(2222, 22)], "all again, as a range")
    all_live()
    echoes(lab.host.tcp_connect("127.0.0.1", 2223))


def test_forward_set_udp(lab):
    """A client of a UDP rule that is kept stays the same to the guest."""
    daemon = lab.start("-u", "5353:53,5454:54")
    peers = udp_echo(lab, lab.guest.udp_socket(port=53))
    sock = lab.host.udp_socket("127.0.0.1")
    sock.connect(("127.0.0.1", 5353))
    echo_of(sock)
    flow, = daemon.ctl_json("flows")
    equal(forward_set(daemon, "udp", "5353:53", "5555:55"), [(5353, 53), (5555, 55)], "kept and dropped")
    echo_of(sock)
    equal([row["id"] for row in daemon.ctl_json("flows")], [flow["id"]], "the flow")
    equal(peers[0], peers[-1], "the client that the guest sees")


PORTS = 10000


def test_many_ports(lab):
    """A large range is opened and closed over many turns of the loop, in which others are served."""
    daemon = lab.start()
    server = TcpServer(lab, lab.server.tcp_listen(), echo)
    sock = lab.guest.tcp_connect(SERVER_ADDR, server.port)
    for proto in "tcp", "udp":
        for specs in [f"20000-{20000 + PORTS - 1}"], []:
            first, second = daemon.stat("loop.turns"), daemon.stat("loop.turns")
            asking = second - first
            with daemon.qmp() as session:
                session.send("forward-set", {"proto": proto, "specs": specs})
                echoes(sock)
                reply = session.receive_reply()
            equal([f["open_ports"] for f in reply["return"]], [PORTS] * len(specs), "the ports that are open")
            check(daemon.stat("loop.turns") - second - asking > PORTS / 64, f"{specs} took only a few turns")


def forwards_of(daemon):
    return sorted((f["proto"], f["host_port"]) for f in daemon.ctl_json("forwards"))


def test_many_ports_of_a_client_that_leaves(lab):
    """A change goes on without its client; another waits for it, on either socket."""
    path = lab.folder / "api.sock"
    daemon = lab.daemon().start("--api-socket", path)
    many = {"proto": "tcp", "spec": f"20000-{20000 + PORTS - 1}"}
    with daemon.qmp() as session:
        session.send("forward-add", many)
        eventually(lambda: daemon.fd_count() > PORTS / 10, 20, "it is under way", interval=0)
    eventually(lambda: forwards_of(daemon) == [("tcp", 20000)], 20, "the rule is there")
    with daemon.qmp() as other:
        with daemon.qmp() as session:
            session.send("forward-remove", many)
            eventually(lambda: daemon.fd_count() < PORTS, 20, "it is under way", interval=0)
            other.send("forward-add", many | {"proto": "udp"})
        contains(ask_api(path, '{"execute": "add_hostfwd", "arguments": {"proto": "udp", "host_port": 5353, '
                         '"guest_port": 53}}'), '"id"', "the reply on the other socket")
        check("return" in other.receive_reply(), "the second change failed")
    equal(forwards_of(daemon), [("udp", 5353), ("udp", 20000)], "the forwards")
    check(daemon.fd_count() > PORTS, "there are no sockets")
