"""What the options are, and what is changed of them while the daemon runs."""

from lab.checks import check, contains, equal, eventually
from lab.frames import Link
from lab.lab import DNS2_ADDR, DNS_ADDR, SERVER_ADDR
from lab.servers import TcpServer, echo, receive_all

OF_ONE_DAEMON = ("--socket=", "--control=", "--foreground", "--sandbox=")


def flags(daemon):
    """Its command line as it would be now, but for what each daemon has of its own."""
    return [flag for flag in daemon.ctl_json("config")["flags"]
            if not flag.startswith(OF_ONE_DAEMON)]


def config_set(session, option, *values):
    return session.request("config-set", {"option": option, "values": list(values)})


def test_recreated(lab):
    """A daemon that is started with the flags that another returns has the same configuration."""
    one = lab.daemon().start("--private", "--ntp", "192.0.2.7", "--ntp", "192.0.2.8", "-q", "--udp-timeout",
                             "7", "-t", "127.0.0.1/2222:22,~2223", "-t", "8000-8003:9000-9003", "-S", "none",
                             "--dns-record", "web.example=192.0.2.9", "--map-guest-addr", "192.0.2.10",
                             "-u", "~1-20000,~20100-65535")
    one.ctl("config", "set", "mtu", "1400")
    one.ctl("config", "set", "dns-record", "a.example=192.0.2.1", "a.example=2001:db8::1")
    one.ctl("config", "set", "search", "example.com example.org")
    one.ctl("config", "set", "no-dhcp-search", "on")
    one.ctl("config", "set", "lease-time", "600")
    one.ctl("config", "set", "lease-time")
    one.ctl("log", "level", "debug")
    one.ctl("forward", "add", "udp", "127.0.0.1%lo/5353:10.0.2.15/53")
    one.ctl("forward", "remove", "--id", "1")
    config = one.ctl_json("config")
    given = flags(one)
    for flag in ("--mtu=1400", "--udp-timeout=7", "--no-dhcp-search", "--debug", "--search=none",
                 "--dns-record=a.example=2001:db8::1", "--udp-ports=127.0.0.1%lo/5353:10.0.2.15/53",
                 "--tcp-ports=8000-8003:9000-9003"):
        check((flag in given) == (flag != "--search=none"), f"{flag} in {given}")
    check(not any(flag.startswith(("--dns-record=web", "--quiet", "--lease-time", "--tcp-ports=127"))
                  for flag in given), f"what was changed is in {given}")
    before = one.ctl_json("dns"), one.ctl_json("status")["network"], one.ctl_json("forwards")
    one.stop()
    two = lab.daemon().start(*given)
    equal(sorted(flags(two)), sorted(given), "the flags of the second daemon")
    after = two.ctl_json("dns"), two.ctl_json("status")["network"], two.ctl_json("forwards")
    equal(after[0]["records"], before[0]["records"], "the records")
    equal(after[1], before[1], "the network")
    for forwards in before[2], after[2]:
        for forward in forwards:
            del forward["id"]
    key = lambda forward: (forward["proto"], forward["host_port"])  # noqa: E731
    equal(sorted(after[2], key=key), sorted(before[2], key=key), "the forwards")
    check(config != two.ctl_json("config"), "the paths of both are the same")


def test_refusals(lab):
    """What cannot be changed says why, what is wrong what; neither changes anything."""
    daemon = lab.daemon().start("--private", "-t", "2222:22")
    before = daemon.ctl_json("config")
    with daemon.qmp() as session:
        for option, values, part in (
                ("socket", ["/x"], "before the sandbox"), ("address", ["192.0.2.1"], "taken back"),
                ("tcp-ports", ["80"], "forward-set"), ("no-such-option", ["1"], "there is no option"),
                ("udp-timeout", ["0"], "is not a number from 1"), ("udp-timeout", [""], "is not a number"),
                ("dns-record", ["a=192.0.2.1", "b"], "is not a name"), ("debug", ["maybe"], "on or off"),
                ("dns", ["192.0.2.1"] * 9, "one too many"), ("max-fragments", ["0"], "from 1 to 4096"),
                ("mtu", ["5"], "is not 0 or"), ("no-tcp", ["on"], "there are forwards"),
                ("multicast", ["on", "off"], "is not a list of groups"), ("outbound-if4", ["eth0"], "made after"),
                ("foreground", ["off"], "at the start"), ("trace", ["maybe"], "--debug is on or off"),
                ("debug", ["on", "on"], "on or off"), ("mtu", ["1400"] * 2, "2 values are too many, it takes 1"),
                ("udp-timeout", ["7"] * 4000, "4000 values are too many, it takes 1"),
                ("private", ["10.0.9.0/24"] * 2, "taken back")):
            contains(config_set(session, option, *values)["error"]["desc"], part, f"the refusal of {option}")
        config_set(session, "no-dns-relay", "on")
        contains(config_set(session, "dns-record", "a.example=192.0.2.1")["error"]["desc"],
                 "--no-dns-relay switches off", "the refusal of a record without a relay")
        config_set(session, "no-dns-relay", "off")
    equal(daemon.ctl_json("config"), before, "the configuration")


def test_many_values(lab):
    """An option of which several count takes as many as do, and is not even looked at with more."""
    daemon = lab.daemon().start("--private", "--private6", "--multicast")
    addresses = [f"192.0.2.{i}" for i in range(1, 100)]
    both = ["192.0.2.1", "2001:db8::1"]
    with daemon.qmp() as session:
        for option, values in (
                ("dns", ["none"] + addresses[:8]), ("ntp", addresses[:4]), ("dns-forward", both), ("outbound", both),
                ("map-host-loopback", ["none"] + both), ("map-guest-addr", ["none"] + both),
                ("search", ["none"] + [f"n{i}.example" for i in range(6)]),
                ("dns-record", [f"n{i}.example=192.0.2.1" for i in range(64)]),
                ("multicast", [f"239.1.1.1:{i}" for i in range(1, 33)])):
            equal(config_set(session, option, *values), {"return": {}}, f"the reply to {option}")
            check(f"--{option}={values[-1]}" in session.execute("query-config")["flags"], f"{option} is not set")
            contains(config_set(session, option, *values, "x")["error"]["desc"],
                     f"{len(values) + 1} values are too many, it takes {len(values)}", f"the refusal of {option}")


def test_dns(lab):
    """Records and resolvers that are changed are those of the next query."""
    first = lab.name_server(DNS_ADDR, "both.example. 60 A 192.0.2.1")
    second = lab.name_server(DNS2_ADDR, "both.example. 60 A 192.0.2.2")
    daemon = lab.start("--private")

    def ask(name):
        return lab.guest.run("dig", "+short", "+tries=1", "@10.0.2.3", name).strip()

    equal(ask("both.example"), "192.0.2.1", "the answer of the first")
    equal(ask("both.example"), "192.0.2.1", "the answer of the cache")
    equal(first.count("both.example."), 1, "the queries to the first")
    daemon.ctl("config", "set", "dns-host", DNS2_ADDR)
    equal(ask("both.example"), "192.0.2.2", "the answer of the second")
    equal(second.count("both.example."), 1, "the queries to the second")
    daemon.ctl("config", "set", "dns-record", "both.example=192.0.2.3")
    equal(ask("both.example"), "192.0.2.3", "the answer of the record")
    daemon.ctl("config", "set", "dns-record")
    equal(ask("both.example"), "192.0.2.2", "the answer without it")
    daemon.ctl("config", "set", "max-dns-cache", "8")
    equal(daemon.ctl_json("dns")["cache"]["max_entries"], 8, "the size of the cache")
    equal(ask("both.example"), "192.0.2.2", "the answer of the second, cached anew")


def test_mtu(lab):
    """A new MTU is advertised at once."""
    lab.add_ip6()
    lab.host.sysctl("ipv6/conf/all/forwarding", 0)
    daemon = lab.start()
    lab.guest.wait_ip6()
    mtu = lambda: lab.guest.run("ip", "-6", "route", "show", "default")  # noqa: E731
    daemon.ctl("config", "set", "mtu", "1380")
    eventually(lambda: "mtu 1380" in mtu() or "1380" in lab.guest.run(
        "cat", "/proc/sys/net/ipv6/conf/eth0/mtu"), 20, "the guest heard of the MTU")
    equal(daemon.ctl_json("status")["network"]["mtu_source"], "flag", "where the MTU is from")


def test_timeouts_and_limits(lab):
    """A shorter timeout ends flows that are there; a lower limit refuses what comes."""
    daemon = lab.start("--max-flows", "100")
    sock = lab.guest.udp_socket()
    sock.sendto(b"x", (SERVER_ADDR, 9))
    eventually(lambda: len(daemon.ctl_json("flows")) == 1, 10, "the flow is there")
    daemon.ctl("config", "set", "udp-timeout", "1")
    eventually(lambda: not daemon.ctl_json("flows"), 10, "the flow has ended")
    server = TcpServer(lab, lab.server.tcp_listen(), echo)
    first = lab.guest.tcp_connect(SERVER_ADDR, server.port)
    daemon.ctl("config", "set", "max-flows", "1")
    equal(daemon.ctl_json("status")["flows"]["max"], 1, "the limit")
    try:
        lab.guest.tcp_connect(SERVER_ADDR, server.port)
        raise AssertionError("a connection beyond the limit")
    except ConnectionRefusedError:
        pass
    first.sendall(b"still there")
    equal(receive_all(first, 11), b"still there", "the echo of the first")


def test_forward_set(lab):
    """Forwards that stay keep their sockets and connections; what cannot be had changes nothing."""
    daemon = lab.start("-t", "2222:22,2223:23")
    server = TcpServer(lab, lab.guest.tcp_listen(port=22), echo)
    sock = lab.host.tcp_connect("127.0.0.1", 2222)
    sock.sendall(b"one")
    equal(receive_all(sock, 3), b"one", "the echo")
    got = daemon.ctl_json("forward", "set", "tcp", "2222:22", "2224:24")
    equal([(f["id"], f["host_port"]) for f in got], [(1, 2222), (3, 2224)], "the forwards")
    blocker = lab.host.tcp_listen("0.0.0.0", 2230)
    error = daemon.ctl("forward", "set", "tcp", "2222:23", "2230:30", status=1)
    contains(error, "TCP *:2230: Address already in use", "the error")
    equal(sorted((f["host_port"], f["guest_port"]) for f in daemon.ctl_json("forwards")),
          [(2222, 22), (2224, 24)], "the forwards after the failure")
    blocker.close()
    sock.sendall(b"two")
    equal(receive_all(sock, 3), b"two", "the echo")
    equal(daemon.ctl_json("forward", "set", "tcp"), [], "no forwards")
    sock.sendall(b"three")
    equal(receive_all(sock, 5), b"three", "the echo on a connection that stands")
    server.close()


def test_client_disconnect(lab):
    """The guest's client is cut off, and another is taken."""
    daemon = lab.daemon().start()
    with daemon.qmp() as session:
        with Link(daemon) as link:
            link.alive()
            session.execute("client-disconnect")
            event = session.receive_event("CLIENT_DISCONNECTED")
            contains(event["reason"], "control client", "the reason")
            link.expect_closed()
        contains(session.request("client-disconnect")["error"]["desc"], "no client", "the second time")
        with Link(daemon) as link:
            link.alive()


def test_event(lab):
    """Other clients hear of a change, once."""
    daemon = lab.daemon().start()
    with daemon.qmp() as session, daemon.qmp() as other:
        for _ in range(2):
            session.execute("config-set", option="icmp-timeout", values=["9"])
        session.execute("config-set", option="no-dhcp-dns", values=["on"])
        equal(other.receive_event("CONFIG_CHANGED"), {"option": "icmp-timeout", "values": ["9"]},
              "the first event")
        equal(other.receive_event("CONFIG_CHANGED"), {"option": "no-dhcp-dns", "values": ["on"]},
              "the second event")
