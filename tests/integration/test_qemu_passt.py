"""QEMU's `-netdev passt`: QEMU starts the daemon itself, and again when it ends."""

import json
import os
import pathlib
import signal
import subprocess

from lab.checks import check, contains, deadline, equal, eventually
from lab.daemon import plain_program
from lab.lab import (DNS_ADDR, HOST_ADDR, ROUTER_ADDR, SERVER_ADDR, SERVER_ADDR6)
from lab.machine import (EVENT_DEADLINE, Machine, Network, ask_guest, environment, expect_end,
                         monitor_connect, monitor_options, newest, wait_guest)
from lab.servers import HttpServer

ADDR, DNS, LOOPBACK, SELF, MAC = (
    "192.0.2.77", "192.0.2.3", "192.0.2.200", "192.0.2.201", "52:54:00:99:99:99")
# Each property of the backend but vhost-user, a value for it, and what QEMU makes of that.
PROPERTIES = [
    ("quiet", False, ""),
    ("freebind", True, "--freebind"),
    ("mtu", 1400, "--mtu 1400"),
    ("address", ADDR, f"--address {ADDR}"),
    ("netmask", "255.255.255.0", "--netmask 255.255.255.0"),
    ("mac", MAC, f"--mac-addr {MAC}"),
    ("gateway", ROUTER_ADDR, f"--gateway {ROUTER_ADDR}"),
    ("interface", "uplink", "--interface uplink"),
    ("outbound", HOST_ADDR, f"--outbound {HOST_ADDR}"),
    ("outbound-if4", "uplink", "--outbound-if4 uplink"),
    ("outbound-if6", "uplink", "--outbound-if6 uplink"),
    ("dns", DNS, f"--dns {DNS}"),
    ("fqdn", "guest.lab.example", "--fqdn guest.lab.example"),
    ("dhcp-dns", False, "--no-dhcp-dns"),
    ("dhcp-search", False, "--no-dhcp-search"),
    ("map-host-loopback", LOOPBACK, f"--map-host-loopback {LOOPBACK}"),
    ("map-guest-addr", SELF, f"--map-guest-addr {SELF}"),
    ("dns-forward", DNS, f"--dns-forward {DNS}"),
    ("dns-host", DNS_ADDR, f"--dns-host {DNS_ADDR}"),
    ("tcp", False, "--no-tcp"),
    ("udp", False, "--no-udp"),
    ("icmp", False, "--no-icmp"),
    ("dhcp", False, "--no-dhcp"),
    ("ndp", False, "--no-ndp"),
    ("dhcpv6", False, "--no-dhcpv6"),
    ("ra", False, "--no-ra"),
    ("ipv4", False, "--ipv6-only"),
    ("ipv6", False, "--ipv4-only"),
    ("search", ["lab.example", "second.example"], "--search lab.example second.example"),
    ("tcp-ports", ["2222:22", "8000-8003:9000-9003"], "--tcp-ports 2222:22,8000-8003:9000-9003"),
    ("udp-ports", ["5353", "6000"], "--udp-ports 5353,6000"),
    ("param", ["--hostname", "guest"], "--hostname guest"),
]
# Of those, what turns nothing off.
ON = {name: value for name, value, _ in PROPERTIES if value is not False}


def backend(properties):
    """The netdev, whose daemon is one without sanitizers: its sandbox is in force."""
    return {"type": "passt", "path": plain_program("postern"),
            **{name: [{"str": word} for word in value] if isinstance(value, list) else value
               for name, value in properties.items()}}


def alive(pid):
    """Whether the process runs; nobody here asks for the status of one that has ended."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def pid_files(lab):
    return list((lab.folder / "tmp").iterdir())


def daemons():
    """Processes of ours, whoever started them."""
    return [int(pid) for pid in os.listdir("/proc") if pid.isdecimal() and alive(pid) and
            pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0] ==
            plain_program("postern").encode()]


def expect_nothing_left(lab):
    eventually(lambda: not daemons(), EVENT_DEADLINE, "no daemon is left")
    equal(pid_files(lab), [], "the pid files that are left")


def pid_in(path):
    """The process id in the file; 0 while there is none."""
    try:
        text = path.read_text()
    except FileNotFoundError:
        return 0
    return int(text) if text.endswith("\n") else 0


def start_without_guest(lab, *options):
    """A QEMU that has no machine."""
    # a session of its own: when a start fails it sends SIGTERM to its process group
    return lab.host.spawn(*newest(), "-machine", "none", "-nodefaults", "-display", "none",
                          *options, env=environment(lab), text=True, start_new_session=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def threads(pid, name):
    """The states of the threads with this name."""
    for stat in pathlib.Path(f"/proc/{pid}/task").glob("*/stat"):
        head, _, rest = stat.read_text().rpartition(")")
        if head.partition("(")[2] == name:
            yield rest.split()[0]


def wait_settled(process):
    """Waits until QEMU has the start of a daemon behind it.

    QEMU 11.1 closes descriptors of such a start twice, also in GLib's worker thread while the
    others go on: what these open meanwhile, as the link of the next daemon, may be closed by it.
    """
    eventually(lambda: set(threads(process.pid, "gmain")) == {"S"}, EVENT_DEADLINE,
               "GLib's worker thread sleeps")


# With a guest.

def check_given(guest):
    """What the guest has of the properties."""
    words = guest.lease().split()
    for word in f"address={ADDR}/24", f"gateway={ROUTER_ADDR}", f"dns={DNS}", "mtu=1400":
        contains(words, word, "the lease")
    contains(guest.must("cat /etc/resolv.conf"), "search lab.example second.example")
    contains(guest.must("nslookup -type=a www.lab.example"), f"Address: {SERVER_ADDR}")
    contains(guest.must("ip neigh"), f"lladdr {MAC}", "the neighbors")


def expect_removed(lab, guest, control):
    """The device and its backend are taken away; the daemon goes without a trace."""
    guest.monitor.execute("device_del", id="nic0")
    eventually(lambda: not any(entry["name"] == "nic0" for entry in guest.monitor.execute(
        "qom-list", path="/machine/peripheral")), EVENT_DEADLINE, "the guest lets go of the device")
    guest.monitor.execute("netdev_del", id="net0")
    # No more is asked of QEMU: 11.1 still watches the link of the backend, whose memory it has
    # freed, and ends with SIGSEGV as often as not, whichever daemon is behind it.
    expect_nothing_left(lab)
    check(not control.exists(), "the control socket is still there")


@deadline(900)
def test_guest(lab):
    """A guest with every property; the daemon ends and is started again; all is taken away."""
    network, daemon = Network(lab), lab.daemon()
    lab.name_server()
    loopback = HttpServer(lab, lab.host, "127.0.0.1").port
    guest = Machine(lab, newest(), paused=True)
    guest.plug(backend(ON | {"param": ["--control", str(daemon.control)]}))
    wait_settled(guest.process)
    guest.resume()
    guest.boot()
    check_given(guest)
    guest.wait_ip6()
    network.check_online(guest, f"{ADDR}/24")
    guest.download(loopback, LOOPBACK)
    pid_file, = pid_files(lab)

    for signum in signal.SIGKILL, signal.SIGTERM, signal.SIGTERM:
        guest.open_flow(network.echo)
        client, pid = ask_guest(lab, 2222), pid_in(pid_file)
        os.kill(pid, signum)
        expect_end(client)
        eventually(lambda: pid_in(pid_file) not in (0, pid), EVENT_DEADLINE,
                   "QEMU has started another daemon")
        check(alive(pid_in(pid_file)), "the pid file names nobody")
        eventually(lambda: len(daemons()) == 1, EVENT_DEADLINE, "there is one daemon")
        wait_guest(daemon)
        guest.expect_flow_reset()
        network.check_online(guest, f"{ADDR}/24")
        wait_settled(guest.process)
    check_given(guest)
    expect_removed(lab, guest, daemon.control)


# Without one.

@deadline(240)
def test_properties(lab):
    """Each property alone starts a daemon, and the end of QEMU leaves none of them."""
    lab.add_ip6()
    monitor = lab.folder / "monitor"
    process = start_without_guest(lab, *monitor_options(monitor))
    session = monitor_connect(process, monitor)
    known = set()
    for name, value, words in PROPERTIES:
        session.execute("netdev_add", id=f"with-{name}", **backend({name: value}))
        pid_file, = set(pid_files(lab)) - known
        known.add(pid_file)
        wait_settled(process)
        line = pathlib.Path(f"/proc/{pid_in(pid_file)}/cmdline").read_bytes().decode().split("\0")
        contains(" ".join(line), f" {words} --pid {pid_file} --fd 3" if words else " --pid",
                 "the daemon's command line")
        check(alive(pid_in(pid_file)), f"the daemon with {name} has ended")
    equal(len(daemons()), len(PROPERTIES), "the number of daemons")
    session.execute("quit")
    equal(process.wait(EVENT_DEADLINE), 0, "QEMU's exit status")
    expect_nothing_left(lab)


def check_refused(lab, properties, reason):
    process = start_without_guest(lab, "-netdev",
                                  json.dumps(backend(properties) | {"id": "net0"}))
    said, _ = process.communicate(timeout=EVENT_DEADLINE)
    check(process.returncode != 0, "QEMU takes no notice")
    equal(said.splitlines()[:1], [reason], "the first line that the user sees")
    equal(daemons(), [], "the daemons that are left")


@deadline(240)
def test_refusals(lab):
    """When the daemon cannot start, its reason is what QEMU's user sees, first and in one line."""
    with lab.host.tcp_listen("0.0.0.0", 2222):
        check_refused(lab, {"tcp-ports": ["2222"]}, "postern: TCP *:2222: Address already in use")
    check_refused(lab, {"vhost-user": True}, "postern: --vhost-user is refused: the guest is served over a "
                  "stream socket (QEMU's -netdev stream) alone")
