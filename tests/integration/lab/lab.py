"""The lab of one test.

    guest ---- postern ---- host ------- router ------- server
    (TAP, link socket)   192.0.2.2    192.0.2.1      198.51.100.2
                                      198.51.100.1   198.51.100.53, .54 (name servers)

The guest takes the host's address ("mirrored"), or 10.0.2.15 with `--private`. The router
calls 203.0.113.0/25 unreachable and swallows what goes to 203.0.113.128/25.

After add_ip6() there is IPv6 as well, with the same numbers:

    host 2001:db8:a::2 --- fe80::1, 2001:db8:a::1 router 2001:db8:b::1 --- 2001:db8:b::2 server
                                                                           2001:db8:b::53

and 2001:db8:c::/64 is unreachable. The guest makes its own address from what it is advertised.
"""

import json
import os
import pathlib
import threading

import netns
from lab import servers
from lab.checks import Skip, equal, eventually
from lab.daemon import Daemon, tool_path
from lab.node import Node

GUEST_MAC = "52:54:00:12:34:56"
HOST_ADDR, ROUTER_ADDR, SERVER_ADDR = "192.0.2.2", "192.0.2.1", "198.51.100.2"
ROUTER_FAR_ADDR = "198.51.100.1"
DNS_ADDR, DNS2_ADDR = "198.51.100.53", "198.51.100.54"
UNREACHABLE_ADDR, SILENT_ADDR = "203.0.113.1", "203.0.113.129"
HOST_ADDR6, ROUTER_ADDR6, SERVER_ADDR6 = "2001:db8:a::2", "2001:db8:a::1", "2001:db8:b::2"
ROUTER_LINK_ADDR6, ROUTER_FAR_ADDR6 = "fe80::1", "2001:db8:b::1"
DNS_ADDR6, UNREACHABLE_ADDR6 = "2001:db8:b::53", "2001:db8:c::1"
PREFIX6 = "2001:db8:a:"
SEARCH = "lab.example"
MTU = 65520

ZONE = """
www.lab.example.       60 A     198.51.100.2
www.lab.example.       60 AAAA  2001:db8:b::2
alias.lab.example.     60 CNAME www.lab.example.
text.lab.example.      60 TXT   "hello" "world"
short.lab.example.      1 A     198.51.100.3
mail.lab.example.      60 MX    10 www.lab.example.
odd.lab.example.       60 TYPE65280 00ff10
evil.lab.example.       0 FORGED 203.0.113.66
evil.lab.example.      60 A     198.51.100.4
mute.lab.example.       0 SILENT
fail.lab.example.       0 RCODE 2
""" + "".join(f'large.lab.example. 60 TXT "{i:02d}{"x" * 200}"\n' for i in range(18))


class Guest(Node):
    """The guest: its eth0 is a TAP that tapguest relays to the link socket."""

    relay = None
    addr, gateway, prefix = HOST_ADDR, ROUTER_ADDR, 24

    def attach(self, daemon, *options, mac=GUEST_MAC, mtu=MTU, fd=None):
        """Plugs eth0 in, and returns when the link stands."""
        if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
            raise Skip("no access to /dev/net/tun")
        link = ["eth0", daemon.socket] if fd is None else ["-f", fd, "eth0"]
        self.relay = self.spawn(tool_path("tapguest"), "-a", mac, "-m", mtu,
                                *options, *link, stdout=-1, text=True,
                                pass_fds=() if fd is None else (fd,))
        self.wait_connected()

    def wait_connected(self):
        """Waits for the relay's next line, one a connection."""
        equal(self.relay.stdout.readline().strip(), "connected", "the first word of tapguest")

    def detach(self):
        """Pulls the plug: the link and eth0 are gone when this returns."""
        self.relay.kill()
        self.relay.wait()

    def configure(self, dns=DNS_ADDR):
        """Addresses eth0 without DHCP."""
        self.ip(f"addr add {self.addr}/{self.prefix} dev eth0",
                f"route add default via {self.gateway}")
        self.resolv_conf(f"nameserver {dns}\n")

    def addresses6(self, scope="global"):
        """IPv6 addresses of eth0 that can be used."""
        shown = json.loads(self.run("ip", "-6", "-j", "addr", "show", "dev", "eth0",
                                    "scope", scope, "-tentative"))
        return [entry["local"] for link in shown for entry in link.get("addr_info", [])
                if "local" in entry]

    def wait_ip6(self, prefix=PREFIX6):
        """Waits for an address made from an advertised prefix, and returns it."""
        eventually(lambda: any(addr.startswith(prefix) for addr in self.addresses6()), 20,
                   f"the guest has an address in {prefix}")
        return next(addr for addr in self.addresses6() if addr.startswith(prefix))


class Lab:
    """Namespaces, wires and servers of one test; the process that made it is their only owner."""

    def __init__(self, logs, folder=pathlib.Path("/run/lab")):
        self.logs, self.folder = pathlib.Path(logs), folder
        folder.mkdir()
        folder.chmod(0o777)  # for a daemon that gives up root before it binds its socket
        self.daemons = []
        self.failures = []
        self.host, self.router, self.server = (
            Node(name, folder) for name in ("host", "router", "server"))
        self.guest = Guest("guest", folder)
        for node in self.host, self.router, self.server, self.guest:
            # detection of duplicate addresses takes a second, in which no neighbor is found
            node.sysctl("ipv6/conf/default/accept_dad", 0)
        self._wire()
        self.host.resolv_conf(f"nameserver {DNS_ADDR}\nsearch {SEARCH}\n")

    def _wire(self):
        netns.connect(self.host.space, "uplink", f"{HOST_ADDR}/24",
                      self.router.space, "near", f"{ROUTER_ADDR}/24")
        netns.connect(self.router.space, "far", f"{ROUTER_FAR_ADDR}/24",
                      self.server.space, "eth0", f"{SERVER_ADDR}/24")
        self.host.ip(f"route add default via {ROUTER_ADDR}")
        self.host.space.allow_ping_sockets()
        self.router.sysctl("ipv4/ip_forward", 1)
        self.router.sysctl("ipv4/icmp_ratelimit", 0)
        self.router.ip("route add unreachable 203.0.113.0/25",
                       "route add blackhole 203.0.113.128/25")
        self.server.ip(f"addr add {DNS_ADDR}/24 dev eth0", f"addr add {DNS2_ADDR}/24 dev eth0",
                       f"route add default via {ROUTER_FAR_ADDR}")

    def add_ip6(self):
        """Gives the network IPv6; before a daemon starts."""
        for node in self.host, self.router, self.server, self.guest:
            for setting in "all", "default":
                node.sysctl(f"ipv6/conf/{setting}/disable_ipv6", 0)
        self.host.sysctl("ipv6/conf/uplink/accept_ra", 0)
        self.router.sysctl("ipv6/conf/all/forwarding", 1)
        self.router.sysctl("ipv6/icmp/ratelimit", 0)
        self.router.ip(f"addr add {ROUTER_LINK_ADDR6}/64 dev near nodad",
                       f"addr add {ROUTER_ADDR6}/64 dev near nodad",
                       f"addr add {ROUTER_FAR_ADDR6}/64 dev far nodad",
                       "route add unreachable 2001:db8:c::/64")
        self.host.ip(f"addr add {HOST_ADDR6}/64 dev uplink nodad",
                     f"route add default via {ROUTER_LINK_ADDR6} dev uplink")
        self.server.ip(f"addr add {SERVER_ADDR6}/64 dev eth0 nodad",
                       f"addr add {DNS_ADDR6}/64 dev eth0 nodad",
                       f"route add default via {ROUTER_FAR_ADDR6}")

    def replace_uplink(self, ip6=False):
        """Takes the host's interface away; another of its name and addresses comes in its place."""
        self.host.ip("link del uplink")
        netns.connect(self.host.space, "uplink", f"{HOST_ADDR}/24",
                      self.router.space, "near", f"{ROUTER_ADDR}/24")
        self.host.ip(f"route add default via {ROUTER_ADDR}")
        if ip6:
            self.router.ip(f"addr add {ROUTER_LINK_ADDR6}/64 dev near nodad",
                           f"addr add {ROUTER_ADDR6}/64 dev near nodad")
            self.host.ip(f"addr add {HOST_ADDR6}/64 dev uplink nodad",
                         f"route add default via {ROUTER_LINK_ADDR6} dev uplink")

    def daemon(self):
        """A daemon on the host, not started yet."""
        daemon = Daemon(self, self.host)
        self.daemons.append(daemon)
        return daemon

    def start(self, *args, mtu=MTU):
        """A running daemon with the guest attached and addressed."""
        daemon = self.daemon().start(*args)
        if "--private" in args:
            self.guest.addr, self.guest.gateway = "10.0.2.15", "10.0.2.2"
        self.guest.attach(daemon, mtu=mtu)
        self.guest.configure("10.0.2.3" if "--private" in args else DNS_ADDR)
        return daemon

    def thread(self, function, *args):
        """Runs function in a thread; what it raises fails the test at its end."""
        def guarded():
            try:
                function(*args)
            except Exception as error:  # noqa: any failure of a server is one of the test
                self.failures.append(error)
        thread = threading.Thread(target=guarded, daemon=True)
        thread.start()
        return thread

    def name_server(self, addr=DNS_ADDR, zone=ZONE, node=None):
        """A running name server on the server node, or on another."""
        with (node or self.server).space.entered():
            return servers.NameServer(zone, addr).start()

    def close(self):
        """Stops every daemon and reports what went wrong unseen."""
        problems = list(self.failures)
        for daemon in self.daemons:
            try:
                daemon.stop()
            except AssertionError as error:
                problems.append(error)
        if problems:
            raise AssertionError("; ".join(map(str, problems)))
