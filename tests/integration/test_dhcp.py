"""DHCPv4: three real clients get, keep and give back their lease."""

import json
import re
import textwrap

from lab.checks import Skip, check, contains, equal, eventually
from lab.lab import DNS2_ADDR, DNS_ADDR, HOST_ADDR, MTU, ROUTER_ADDR, SEARCH, SERVER_ADDR
from lab.servers import TcpServer, echo

PRIVATE_ADDR, PRIVATE_ROUTER = "10.0.2.15", "10.0.2.2"


def attach(lab, *args):
    """A daemon with a guest that has an interface and nothing more."""
    daemon = lab.daemon().start(*args)
    lab.guest.attach(daemon, mtu=1500)
    lab.guest.resolv_conf("")
    return daemon


def address(lab):
    """(address, prefix length) of eth0, None without one."""
    links = json.loads(lab.guest.run("ip", "-j", "-4", "addr", "show", "dev", "eth0"))
    found = [(a["local"], a["prefixlen"]) for link in links for a in link.get("addr_info", [])]
    return found[0] if found else None


def check_configured(lab, addr=HOST_ADDR, router=ROUTER_ADDR, dns=(DNS_ADDR,), search=SEARCH,
                     mtu=MTU):
    """The guest's system has what the lease said."""
    equal(eventually(lambda: address(lab), 20, "eth0 has an address"), (addr, 24), "the address")
    route = eventually(lambda: lab.guest.run("ip", "-4", "route", "show", "default"), 10,
                       "there is a default route")
    contains(route, f"via {router} dev eth0", "the default route")
    if mtu:
        link = json.loads(lab.guest.run("ip", "-j", "link", "show", "dev", "eth0"))[0]
        equal(link["mtu"], mtu, "the MTU")
    conf = lab.guest.etc / "resolv.conf"
    eventually(lambda: "nameserver" in conf.read_text(), 10, "resolv.conf is written")
    equal(tuple(re.findall(r"^nameserver (\S+)", conf.read_text(), re.M)), tuple(dns),
          "the name servers")
    if search:
        # dhcpcd writes a list of only its domain as "domain"
        check(re.search(rf"^(search|domain) {re.escape(search)}$", conf.read_text(), re.M),
              f"no search list '{search}' in resolv.conf: {conf.read_text()}")


# udhcpc.

def udhcpc(lab, *options):
    """A udhcpc that stays, its events with their variables in a log."""
    log = lab.logs / "udhcpc.events"
    script = lab.folder / "udhcpc.script"
    script.write_text(textwrap.dedent(f"""\
        #!/bin/sh
        /etc/udhcpc/default.script "$@" 2>/dev/null
        [ -z "$search" ] || echo "search $search" >>/etc/resolv.conf
        {{ echo "event=$1"; env | grep -E '^[a-z0-9]+='; echo; }} >>{log}
        """))
    script.chmod(0o755)
    log.touch()
    return lab.guest.spawn("udhcpc", "-f", "-i", "eth0", "-s", script, "-t", 10, "-T", 1,
                           "-O", "mtu", "-O", "search", *options, log="udhcpc.log")


def events(lab, name):
    """The variables of each event of that name."""
    blocks = (lab.logs / "udhcpc.events").read_text().split("\n\n")[:-1]
    parsed = [dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
              for block in blocks]
    return [event for event in parsed if event.get("event") == name]


def wait_event(lab, name, number=1):
    return eventually(lambda: events(lab, name)[number - 1:], 20, f"udhcpc reports {name}")[0]


def test_udhcpc(lab):
    """udhcpc gets address, mask, router, name server, search list and MTU."""
    attach(lab)
    udhcpc(lab)
    lease = wait_event(lab, "bound")
    check_configured(lab)
    equal(lease["subnet"], "255.255.255.0", "the mask")
    equal(lease["broadcast"], "192.0.2.255", "the broadcast address")
    equal(lease["serverid"], ROUTER_ADDR, "the server")
    check(int(lease["lease"]) >= 60, f"a lease of {lease['lease']} s")


def test_udhcpc_duplicate_detection(lab):
    """The ARP probe of udhcpc for its address stays without an answer."""
    attach(lab)
    udhcpc(lab, "-a500")
    wait_event(lab, "bound")
    check_configured(lab)


def test_udhcpc_renew(lab):
    """udhcpc renews its lease at the server."""
    attach(lab)
    client = udhcpc(lab)
    wait_event(lab, "bound")
    client.send_signal(10)  # SIGUSR1
    equal(wait_event(lab, "renew")["ip"], HOST_ADDR, "the renewed address")


def test_udhcpc_renew_after_a_change(lab):
    """Under another router the host has another address: the guest's old one works on, until the
    renewal, at the router that it knows, brings the new one."""
    daemon = attach(lab)
    client = udhcpc(lab)
    wait_event(lab, "bound")
    check_configured(lab)
    lab.router.ip("addr add 192.0.2.129/24 dev near")
    lab.host.ip(f"addr del {HOST_ADDR}/24 dev uplink", "addr add 192.0.2.130/24 dev uplink",
                "route add default via 192.0.2.129")
    eventually(lambda: daemon.ctl_json("status")["network"]["address"] == "192.0.2.130", 10,
               "the other address is taken up")
    port = TcpServer(lab, lab.server.tcp_listen(), echo).port
    sock = lab.guest.tcp_connect(SERVER_ADDR, port)
    equal(sock.getsockname()[0], HOST_ADDR, "the guest's address")
    client.send_signal(10)  # SIGUSR1
    equal(wait_event(lab, "bound", 2)["ip"], "192.0.2.130", "the new address")
    equal(daemon.stat("dhcp.naks"), 1, "the counter of refusals")


def test_udhcpc_release(lab):
    """A released lease can be had again."""
    attach(lab)
    client = udhcpc(lab)
    wait_event(lab, "bound")
    client.send_signal(12)  # SIGUSR2
    wait_event(lab, "deconfig", 2)
    client.send_signal(10)
    equal(wait_event(lab, "bound", 2)["ip"], HOST_ADDR, "the address after the release")


def test_udhcpc_other_address(lab):
    """A client that asks for another address is given its own."""
    attach(lab)
    udhcpc(lab, "-r", "192.0.2.99")
    equal(wait_event(lab, "bound")["ip"], HOST_ADDR, "the address")


def test_udhcpc_broadcast(lab):
    """A client that asks for broadcast replies gets its lease."""
    attach(lab)
    udhcpc(lab, "-B")
    equal(wait_event(lab, "bound")["ip"], HOST_ADDR, "the address")


def test_udhcpc_private(lab):
    """With --private the guest gets 10.0.2.15, and the daemon's own name server."""
    attach(lab, "--private")
    udhcpc(lab)
    wait_event(lab, "bound")
    check_configured(lab, PRIVATE_ADDR, PRIVATE_ROUTER, ("10.0.2.3",))


def test_udhcpc_options(lab):
    """Host name, name servers, search domain and MTU follow the daemon's options."""
    attach(lab, "--hostname", "crab", "--mtu", 9000, "--dns", DNS2_ADDR, "--search", "other.example")
    udhcpc(lab, "-O", "hostname")
    equal(wait_event(lab, "bound").get("hostname"), "crab", "the host name")
    check_configured(lab, dns=(DNS2_ADDR,), search="other.example", mtu=9000)


def test_udhcpc_address_options(lab):
    """--address, --netmask and --gateway decide what the guest gets."""
    attach(lab, "--address", "192.0.2.77", "--netmask", "255.255.255.0", "--gateway", "192.0.2.9")
    udhcpc(lab)
    wait_event(lab, "bound")
    check_configured(lab, "192.0.2.77", "192.0.2.9")


def test_udhcpc_loopback_resolver(lab):
    """Where the host's resolver is on its loopback, the guest is told the gateway."""
    lab.host.resolv_conf(f"nameserver 127.0.0.53\nsearch {SEARCH}\n")
    attach(lab)
    udhcpc(lab)
    wait_event(lab, "bound")
    check_configured(lab, dns=(ROUTER_ADDR,))


def test_no_dhcp(lab):
    """With --no-dhcp nobody answers."""
    attach(lab, "--no-dhcp")
    lab.guest.run("udhcpc", "-f", "-n", "-q", "-i", "eth0", "-t", 2, "-T", 1, status=1)


# dhclient.

def dhclient(lab, *options, status=0):
    return lab.guest.run("dhclient", "-v", "-1", *options, "eth0", status=status)


def test_dhclient(lab):
    """dhclient gets address, mask, router, name server, search list and MTU."""
    attach(lab)
    contains(dhclient(lab), f"bound to {HOST_ADDR}")
    check_configured(lab)


def test_dhclient_reboot(lab):
    """dhclient confirms the lease that it remembers."""
    attach(lab)
    dhclient(lab)
    lab.guest.run("dhclient", "-x", "eth0")  # ends the client, keeps the lease
    output = dhclient(lab)
    contains(output, "DHCPACK")
    check("DHCPDISCOVER" not in output, f"dhclient had to discover: {output}")


def test_dhclient_nak(lab):
    """dhclient with the lease of another network hears NAK and gets a right one."""
    attach(lab)
    with open("/var/lib/dhcp/dhclient.leases", "w") as leases:
        leases.write(textwrap.dedent("""\
            lease {
              interface "eth0";
              fixed-address 10.9.9.9;
              option subnet-mask 255.255.255.0;
              option routers 10.9.9.1;
              option dhcp-lease-time 86400;
              option dhcp-message-type 5;
              option dhcp-server-identifier 10.9.9.1;
              renew 0 2035/01/07 00:00:00;
              rebind 0 2035/01/07 00:00:00;
              expire 0 2035/01/07 00:00:00;
            }
            """))
    output = dhclient(lab)
    contains(output, "DHCPNAK")
    contains(output, f"bound to {HOST_ADDR}")


def test_dhclient_release(lab):
    """dhclient gives its lease back, and may have it again."""
    attach(lab)
    dhclient(lab)
    contains(lab.guest.run("dhclient", "-v", "-r", "eth0"), "DHCPRELEASE")
    eventually(lambda: address(lab) is None, 10, "the address is gone")
    contains(dhclient(lab), f"bound to {HOST_ADDR}")


# dhcpcd.

def dhcpcd(lab, *options):
    with open("/proc/self/uid_map") as uid_map:
        if int(uid_map.read().split()[2]) == 1:
            raise Skip("dhcpcd gives up root, which takes a second user in the namespace")
    return lab.guest.run("dhcpcd", "-4", "-d", *options, "eth0")


def check_dhcpcd(lab):
    """As check_configured; dhcpcd leaves the link's MTU alone, but shows the lease's."""
    check_configured(lab, mtu=None)
    contains(lab.guest.run("dhcpcd", "-4", "-U", "eth0"), f"interface_mtu={MTU}", "the lease")


def test_dhcpcd(lab):
    """dhcpcd gets address, mask, router, name server, search list and MTU, after ARP probes."""
    attach(lab)
    dhcpcd(lab)
    check_dhcpcd(lab)


def test_dhcpcd_rapid_commit(lab):
    """dhcpcd may have its lease in two messages."""
    attach(lab)
    dhcpcd(lab, "-o", "rapid_commit")
    check_dhcpcd(lab)


def test_dhcpcd_rebind_and_release(lab):
    """dhcpcd rebinds its lease, gives it back, and may have it again."""
    attach(lab)
    dhcpcd(lab)
    dhcpcd(lab, "-n")
    check_dhcpcd(lab)
    dhcpcd(lab, "-k")
    eventually(lambda: address(lab) is None, 10, "the address is gone")
    dhcpcd(lab)
    check_dhcpcd(lab)


# A gateway that is not in the guest's prefix: RFC 3442 routes lead to it.

OFF_LINK = ("--address", "192.0.2.77", "--netmask", "255.255.255.255", "--gateway", ROUTER_ADDR)


def check_off_link(lab):
    equal(eventually(lambda: address(lab), 20, "eth0 has an address"), ("192.0.2.77", 32),
          "the address")
    routes = eventually(lambda: re.search("^default.*", lab.guest.run("ip", "-4", "route"), re.M),
                        10, "there is a default route")
    contains(routes[0], f"via {ROUTER_ADDR} dev eth0", "the default route")
    lab.guest.run("ping", "-c1", "-W5", ROUTER_ADDR)


def test_dhclient_off_link_gateway(lab):
    """dhclient reaches a gateway outside the guest's prefix."""
    attach(lab, *OFF_LINK)
    dhclient(lab)
    check_off_link(lab)


def test_dhcpcd_off_link_gateway(lab):
    """dhcpcd reaches a gateway outside the guest's prefix."""
    attach(lab, *OFF_LINK)
    dhcpcd(lab)
    check_off_link(lab)


def test_reach_server_by_lease(lab):
    """With nothing but its lease, the guest resolves a name and reaches the server."""
    lab.name_server()
    attach(lab)
    udhcpc(lab)
    wait_event(lab, "bound")
    contains(lab.guest.run("ping", "-c1", "-W5", "www"), "1 received")
