"""DHCPv6: two real clients get, keep and give back their lease."""

import json
import re
import textwrap

from lab.checks import Skip, check, contains, equal, eventually
from lab.lab import HOST_ADDR6, SEARCH, SERVER_ADDR6

PRIVATE_ADDR, PRIVATE_DNS = "fd00::15", "fd00::3"


def attach(lab, *args):
    """A daemon with a guest that has an interface and nothing more."""
    daemon = lab.daemon().start(*args)
    lab.guest.attach(daemon, mtu=1500)
    lab.guest.resolv_conf("")
    eventually(lambda: lab.guest.addresses6("link"), 10, "eth0 has a link-local address")
    return daemon


def lease_of(daemon):
    """What the daemon says of the lease, None without one."""
    with daemon.qmp() as session:
        leases = session.execute("query-leases")
    return next((lease for lease in leases if ":" in lease["address"]), None)


def prefix_len(lab, addr=PRIVATE_ADDR):
    """The length that the address has on eth0, None without it."""
    links = json.loads(lab.guest.run("ip", "-j", "-6", "addr", "show", "dev", "eth0"))
    return next((a["prefixlen"] for link in links for a in link.get("addr_info", [])
                 if a.get("local") == addr), None)


def check_settings(lab, dns=PRIVATE_DNS):
    conf = lab.guest.etc / "resolv.conf"
    eventually(lambda: "nameserver" in conf.read_text(), 10, "resolv.conf is written")
    contains(conf.read_text(), f"nameserver {dns}\n", "resolv.conf")
    # dhcpcd writes a list of only its domain as "domain"
    check(re.search(rf"^(search|domain) {re.escape(SEARCH)}\.?$", conf.read_text(), re.M),
          f"no search list '{SEARCH}' in resolv.conf: {conf.read_text()}")


def check_lease(lab, daemon):
    """The guest's system has what the lease said, and the daemon knows."""
    equal(eventually(lambda: prefix_len(lab), 20, "eth0 has its address"), 128,
          "the prefix length")
    check_settings(lab)
    lease = lease_of(daemon)
    check(lease, "the daemon knows of no lease")
    equal(lease["address"], PRIVATE_ADDR, "the address")
    return lease


# dhclient.

def dhclient(lab, *options, status=0):
    return lab.guest.run("dhclient", "-6", "-v", "-1", *options, "eth0", status=status)


def test_dhclient(lab):
    """dhclient gets address, name server and search list; the daemon shows the lease."""
    daemon = attach(lab, "--private6")
    output = dhclient(lab)
    contains(output, "RCV: Advertise message on eth0 from fe80::2")
    contains(output, "Advertisement immediately selected", "what dhclient does at preference 255")
    lease = check_lease(lab, daemon)
    equal(lease["grants"], 1, "the grants")
    contains(lab.guest.run("ip", "-6", "addr", "show", "dev", "eth0"),
             "valid_lft 8", "a valid lifetime of a day")


def test_dhclient_confirm(lab):
    """dhclient confirms the lease that it remembers."""
    daemon = attach(lab, "--private6")
    dhclient(lab)
    lab.guest.run("dhclient", "-6", "-x", "eth0")  # ends the client, keeps the lease
    output = dhclient(lab)
    contains(output, "XMT: Confirm on eth0")
    contains(output, "RCV: Reply message on eth0")
    check("Solicit" not in output, f"dhclient had to solicit: {output}")
    check_lease(lab, daemon)


def test_dhclient_other_link(lab):
    """dhclient with the lease of another network hears that, and gets a right one."""
    daemon = attach(lab, "--private6")
    dhclient(lab)
    lab.guest.run("dhclient", "-6", "-x", "eth0")
    path = "/var/lib/dhcp/dhclient6.leases"
    with open(path) as leases:
        text = leases.read()
    with open(path, "w") as leases:
        leases.write(text.replace(PRIVATE_ADDR, "2001:db8:99::15"))
    output = dhclient(lab)
    contains(output, "XMT: Confirm on eth0")
    contains(output, "XMT: Solicit on eth0")
    check_lease(lab, daemon)


def test_dhclient_release(lab):
    """dhclient gives its lease back, and may have it again."""
    daemon = attach(lab, "--private6")
    dhclient(lab)
    contains(lab.guest.run("dhclient", "-6", "-v", "-r", "eth0"), "XMT: Release on eth0")
    eventually(lambda: prefix_len(lab) is None, 10, "the address is gone")
    equal(lease_of(daemon), None, "the daemon's lease")
    dhclient(lab)
    check_lease(lab, daemon)


def test_dhclient_information(lab):
    """dhclient that only wants settings gets them without an address."""
    daemon = attach(lab, "--private6")
    contains(dhclient(lab, "-S"), "XMT: Info-Request on eth0")
    check_settings(lab)
    equal(prefix_len(lab), None, "the address")
    equal(lease_of(daemon), None, "the daemon's lease")


def test_dhclient_renew(lab):
    """A short lease is renewed by the client, again and again."""
    daemon = attach(lab, "--private6", "--lease-time", 8)
    lab.guest.spawn("dhclient", "-6", "-d", "-v", "eth0", log="dhclient.log")
    log = lab.guest.folder / "dhclient.log"
    eventually(lambda: log.read_text().count("XMT: Renew") >= 3, 30, "the lease is renewed")
    equal(log.read_text().count("XMT: Solicit"), 1, "Solicits")
    equal(log.read_text().count("XMT: Rebind"), 0, "Rebinds")
    check(lease_of(daemon)["grants"] >= 3, f"the lease was not renewed: {lease_of(daemon)}")


def test_dhclient_delegation(lab):
    """dhclient that wants a prefix as well gets its address, and hears that there is none."""
    daemon = attach(lab, "--private6")
    contains(dhclient(lab, "-N", "-P"), "Status code of no prefix, IA_PD discarded")
    check_lease(lab, daemon)


def test_dhclient_fqdn(lab):
    """dhclient that sends a name of its own is told the daemon's."""
    attach(lab, "--private6", "--fqdn", "crab.lab.example")
    conf = lab.guest.etc / "dhclient-fqdn.conf"
    conf.write_text(textwrap.dedent("""\
        send fqdn.fqdn "lobster";
        send fqdn.server-update on;
        request dhcp6.fqdn, dhcp6.name-servers;
        """))
    dhclient(lab, "-cf", "/etc/dhclient-fqdn.conf")
    with open("/var/lib/dhcp/dhclient6.leases") as leases:
        contains(leases.read(), "crab.lab.example", "the lease")


def test_no_dhcpv6(lab):
    """With --no-dhcpv6 nobody answers."""
    attach(lab, "--private6", "--no-dhcpv6")
    output = lab.guest.run("timeout", 5, "dhclient", "-6", "-d", "-v", "eth0", status=124)
    contains(output, "XMT: Solicit on eth0")
    check("RCV" not in output, f"an answer: {output}")


def test_reach_server_by_lease(lab):
    """In the host's own network the guest gets the host's address, and reaches the server."""
    lab.add_ip6()
    daemon = attach(lab)
    dhclient(lab)
    equal(lease_of(daemon)["address"], HOST_ADDR6, "the address")
    eventually(lambda: "via fe80" in lab.guest.run("ip", "-6", "route", "show", "default"), 10,
               "there is a default route")
    contains(lab.guest.run("ping", "-c1", "-W5", "-I", HOST_ADDR6, SERVER_ADDR6), "1 received")


# dhcpcd.

def dhcpcd(lab, *options, status=0):
    with open("/proc/self/uid_map") as uid_map:
        if int(uid_map.read().split()[2]) == 1:
            raise Skip("dhcpcd gives up root, which takes a second user in the namespace")
    return lab.guest.run("dhcpcd", "-6", "-d", *options, "eth0", status=status)


def test_dhcpcd(lab):
    """dhcpcd, told so by the router, gets address, name server and search list."""
    daemon = attach(lab, "--private6")
    dhcpcd(lab)
    check_lease(lab, daemon)


def test_dhcpcd_rapid_commit(lab):
    """dhcpcd may have its lease in two messages."""
    daemon = attach(lab, "--private6")
    dhcpcd(lab, "-o", "rapid_commit")
    check_lease(lab, daemon)
    equal([daemon.stat(f"dhcp6.{name}") for name in ("solicits", "advertises", "requests")],
          [1, 0, 0], "the messages")


def test_dhcpcd_release(lab):
    """dhcpcd gives its lease back, and may have it again."""
    daemon = attach(lab, "--private6")
    dhcpcd(lab)
    check_lease(lab, daemon)
    # it may not see the end of the other, which stays a zombie until somebody collects it
    dhcpcd(lab, "-k", status=None)
    eventually(lambda: prefix_len(lab) is None, 10, "the address is gone")
    eventually(lambda: lease_of(daemon) is None, 10, "the daemon's lease is gone")
    dhcpcd(lab)
    check_lease(lab, daemon)
