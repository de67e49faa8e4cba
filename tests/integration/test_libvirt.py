"""postern in passt's place below libvirt: Debian unstable's, and that of Debian 12's backports."""

import os
import re
import secrets
import signal
import time

from lab.checks import Skip, check, contains, deadline, equal, eventually, own_cgroup
from lab.lab import HOST_ADDR, HOST_ADDR6, PREFIX6, SERVER_ADDR, SERVER_ADDR6
from lab.libvirt import DEADLINE, QEMU_USER, SESSION_USER, Console, Libvirt, interface
from lab.servers import HttpServer, pattern, sha256

NEWEST, OLDER = "sid", "bookworm-backports"
PORTS_OF_HOST = 2100, 65000     # of which `all` has none
DOWNLOAD = 2 << 20
LOG = "/var/log/libvirt/passt.log"
SECOND_MAC = "52:54:00:12:34:57"
ADDR, GATEWAY, PREFIX = "172.17.2.4", "172.17.2.1", "2001:db8:ac10:fd01:"


def forward(*ranges, proto="tcp", attributes=""):
    """A <portForward> with these attributes; each range is the attributes of a <range>."""
    inside = "".join(f"<range {text}/>" for text in ranges)
    return f"<portForward proto='{proto}' {attributes}>{inside}</portForward>"


def all_ports(proto, but=()):
    low, high = PORTS_OF_HOST
    return [f"{proto} *:{port}" for port in (*range(1024, low), *range(high + 1, 65536))
            if port not in but]


# What stands in an <interface>, what libvirt makes of it, the ports that are open then, and what
# stands in its <backend>.
OPTIONS = [
    ("", "", []),
    ("<source dev='uplink'/>", "--interface uplink", []),
    (f"<ip family='ipv4' address='{ADDR}'/>", f"--address {ADDR}", []),
    (f"<ip family='ipv4' address='{ADDR}' prefix='24'/>"
     f"<ip family='ipv6' address='{PREFIX}:20' prefix='64'/>",
     f"--address {ADDR} --netmask 24 --address {PREFIX}:20", []),
    (forward("start='2222' to='22'"), "--tcp-ports 2222:22", ["tcp *:2222"]),
    (forward("start='8080'", "start='8443' to='443'"), "--tcp-ports 8080,8443:443",
     ["tcp *:8080", "tcp *:8443"]),
    (forward("start='2000' end='2003' to='22'", "start='2002' exclude='yes'"),
     "--tcp-ports 2000-2003:22-25,~2002", ["tcp *:2000", "tcp *:2001", "tcp *:2003"]),
    (forward("start='2022' to='22'", attributes=f"address='{HOST_ADDR}'"),
     f"--tcp-ports {HOST_ADDR}/2022:22", [f"tcp {HOST_ADDR}:2022"]),
    (forward("start='2022' to='22'", attributes=f"address='{HOST_ADDR}' dev='uplink'"),
     f"--tcp-ports {HOST_ADDR}%uplink/2022:22", [f"tcp {HOST_ADDR}%uplink:2022"]),
    (forward("start='2022' to='22'", attributes="dev='uplink'"), "--tcp-ports %uplink/2022:22",
     ["tcp *%uplink:2022"]),
    (forward("start='5000' end='5020' to='6000'", "start='5010' end='5015' exclude='yes'",
             proto="udp", attributes=f"address='{HOST_ADDR6}' dev='uplink'"),
     f"--udp-ports {HOST_ADDR6}%uplink/5000-5020:6000-6020,~5010-5015",
     [f"udp [{HOST_ADDR6}]%uplink:{port}" for port in (*range(5000, 5010), *range(5016, 5021))]),
    (forward("start='2222' to='22'") + forward("start='2223'", attributes="address='::1'") +
     forward("start='5353' to='53'", proto="udp", attributes="address='127.0.0.1'"),
     "--tcp-ports 2222:22 --tcp-ports ::1/2223 --udp-ports 127.0.0.1/5353:53",
     ["tcp *:2222", "tcp [::1]:2223", "udp 127.0.0.1:5353"]),
    (forward() + forward(proto="udp"), "--tcp-ports all --udp-ports all",
     all_ports("tcp") + all_ports("udp")),
    (forward("start='1030' exclude='yes'"), "--tcp-ports ~1030", all_ports("tcp", but=[1030])),
]
# The older libvirt does not know these, or fails itself.
NEWEST_OPTIONS = [
    ("<mtu size='1400'/>", "--mtu 1400", []),
    (f"<ip family='ipv4' address='{ADDR}' prefix='24'/><route family='ipv4' gateway='{GATEWAY}'/>",
     f"--address {ADDR} --netmask 24 --gateway {GATEWAY}", []),
    ("", "--hostname guest --fqdn guest.lab.example", [],
     "hostname='guest' fqdn='guest.lab.example'"),
]

# What stands in an <interface> and in its <backend>, and the reason that libvirt shows.
FAILURES = [
    (forward("start='2999'"), "", "TCP *:2999: Address already in use"),
    (forward("start='2998'", "start='2999'", attributes="address='127.0.0.1'"), "",
     "TCP 127.0.0.1:2999: Address already in use"),
    (forward("start='80'"), "", "TCP *:80: Permission denied; ports below 1024 are reserved, see "
     "the sysctl net.ipv4.ip_unprivileged_port_start"),
    (forward("start='2000'", attributes="address='203.0.113.9'"), "",
     "TCP 203.0.113.9:2000: Cannot assign requested address"),
    ("<source dev='nosuch'/>", "", "there is no interface 'nosuch'"),
    ("", "logFile='/nowhere/log'",
     "cannot open log file '/nowhere/log': No such file or directory"),
    ("", "logFile='/etc/log'", "cannot open log file '/etc/log': Permission denied"),
]


def need_users():
    with open("/proc/self/uid_map") as uid_map:
        if int(uid_map.read().split()[2]) == 1:
            raise Skip("libvirt's users need a namespace with more than one")


def start(lab, suite, **kwargs):
    need_users()
    lab.add_ip6()
    return Libvirt(lab, suite, **kwargs)


def listening(lab):
    """The ports of the host on which someone waits."""
    rows = (row.split() for row in lab.host.run("ss", "-Hltun").splitlines())
    return sorted(f"{row[0]} {row[4]}" for row in rows)


def check_nothing_left(lab, libvirt):
    equal(libvirt.daemons(), {}, "the daemons that are left")
    equal(libvirt.files(), [], "the files that are left")
    equal(listening(lab), [], "the ports that are left")


def check_ended(libvirt, pid, status=0):
    equal(libvirt.exit_status(pid), status, "the daemon's exit status")


def destroy(lab, libvirt):
    """Ends the guest by force; its daemons end by themselves, before libvirt kills them."""
    daemons = libvirt.daemons()
    begin = time.monotonic()
    libvirt.virsh("destroy", "guest")
    print(f"destroying the guest took {time.monotonic() - begin:.2f} s")
    for pid in daemons:
        check_ended(libvirt, pid)
    check_nothing_left(lab, libvirt)


def check_log(lab):
    """The last daemon ended because the guest was gone."""
    contains((lab.logs / "passt.log").read_text().splitlines()[-1], "guest disconnected", "the log's end")


def only_daemon(libvirt):
    """The one daemon's process id, and its arguments behind those that are the same always."""
    (pid, words), = libvirt.daemons().items()
    fixed, words = words[:5], words[5:]
    place = re.sub("^" + re.escape(str(libvirt.root)), "", str(libvirt.folder()))
    name = f"{place}/{libvirt.virsh('domid', 'guest').strip()}-guest-net0"
    equal(fixed, ["--one-off", "--socket", f"{name}.socket", "--pid", f"{name}-passt.pid"],
          "how the arguments begin")
    equal((libvirt.root / fixed[4][1:]).read_text(), f"{pid}\n", "the pid file")
    return pid, words


# Without a boot.

def check_options(lab, libvirt, rows):
    lab.host.sysctl("ipv4/ip_local_port_range", "%d %d" % PORTS_OF_HOST)
    for inside, arguments, ports, *backend in rows:
        libvirt.create(interface(inside, *backend))
        equal(only_daemon(libvirt)[1], arguments.split(), "the arguments")
        equal(listening(lab), sorted(ports), f"the ports open with {arguments}")
        destroy(lab, libvirt)


@deadline(400)
@own_cgroup
def test_options(lab):
    """All that an <interface> can say has its effect, and nothing of it is left behind."""
    check_options(lab, start(lab, NEWEST), OPTIONS + NEWEST_OPTIONS)


@deadline(400)
@own_cgroup
def test_options_older(lab):
    """The same with the older libvirt."""
    check_options(lab, start(lab, OLDER), OPTIONS)


@deadline(300)
@own_cgroup
def test_failures(lab):
    """Whoever starts a guest in vain is shown the reason, in full and in one line; nothing is left,
    not even of the interface before."""
    libvirt = start(lab, NEWEST)
    busy = lab.host.tcp_listen(port=2999)
    others = listening(lab)
    for inside, backend, reason in FAILURES:
        said = libvirt.create(interface(mac=SECOND_MAC), interface(inside, backend), status=1)
        shown = re.fullmatch("error: Failed to create domain from /tmp/guest.xml\nerror: internal "
                             r"error: Child process \(passt .*\) unexpected exit status 1: "
                             r"\w+: (.*)\n+", said)
        check(shown, f"libvirt says {said}")
        equal(shown[1], reason, "the reason that libvirt shows")
        equal(libvirt.virsh("list", "--all").strip(), "", "the guests that are left")
        eventually(lambda: not libvirt.daemons(), DEADLINE, "the first interface's daemon has ended")
        equal(libvirt.files(), [], "the files that are left")
        equal(listening(lab), others, "the ports that are left")


# With a guest.

def boot(libvirt, *interfaces):
    """The console of a guest that has booted."""
    libvirt.create(*interfaces)
    console = Console(libvirt)
    libvirt.virsh("resume", "guest")
    console.boot(3 * DEADLINE)
    return console


def lease(console, link="eth0"):
    """The words of what the guest is given by DHCP."""
    said = console.must(f"udhcpc -i {link} -O mtu -f -q -n -t 10 -T 3 -s /etc/udhcpc")
    leased = re.search(r"^lease (.*)", said, re.M)
    check(leased, said)
    return leased[1].split()


def wait_ip6(console, prefix):
    """Waits until the guest has made an address from what it is advertised."""
    console.must(f"until ip addr show dev eth0 | grep 'inet6 {prefix}' | grep -v tentative; "
                 "do sleep 0.1; done")


def check_downloads(lab, console, *addrs):
    for addr in addrs:
        port = HttpServer(lab, lab.server, "::" if ":" in addr else "0.0.0.0").port
        host = f"[{addr}]" if ":" in addr else addr
        said = console.must(f"wget -q -O - http://{host}:{port}/{DOWNLOAD} | sha256sum")
        equal(said.split()[0], sha256(pattern(DOWNLOAD)), f"the sum of what came from {addr}")


def answers(node, addr, port):
    """Whether the guest's service answers behind a forward."""
    nonce = secrets.token_hex(8)
    try:
        with node.tcp_connect(addr, port) as sock:
            sock.sendall(f"{nonce}\n".encode())
            return sock.makefile().readline() == f"guest {nonce}\n"
    except OSError:
        return False


def check_forward(node, addr, port):
    eventually(lambda: answers(node, addr, port), DEADLINE, f"{addr}, port {port}, is the guest")


def check_process(libvirt, pid, uid):
    """What libvirt leaves of its own powers to a daemon."""
    with open(f"/proc/{pid}/status") as status:
        fields = {name: value.split() for name, _, value in (row.partition(":") for row in status)}
    for name in "Uid", "Gid":
        equal(fields[name], [str(uid)] * 4, name)
    equal(set(fields["Groups"]) - {str(uid)}, set(), "groups besides its own")
    for name, expected in ("CapEff", "0" * 16), ("NoNewPrivs", "1"), ("Seccomp", "2"):
        equal(fields[name], [expected], name)


def check_in_group(libvirt):
    """libvirt has put the daemon where QEMU's own threads are, if it has groups at all."""
    pid, _ = only_daemon(libvirt)
    if not libvirt.makes_groups():
        return
    with open(f"/proc/{pid}/cgroup") as groups:
        contains(groups.read(), "-guest.libvirt-qemu/emulator", "the daemon's control groups")


def kill_daemon(libvirt):
    """Kills the daemon below the guest; libvirt starts another, to which QEMU connects anew."""
    pid, words = only_daemon(libvirt)
    os.kill(pid, signal.SIGKILL)
    check_ended(libvirt, pid, -signal.SIGKILL)
    eventually(lambda: pid not in libvirt.daemons() and
               libvirt.daemons().keys() == libvirt.pids_in_files() != set(),
               DEADLINE, "libvirt starts another daemon")
    equal(only_daemon(libvirt)[1], words, "its arguments")


def save_and_restore(lab, libvirt, console):
    pid, words = only_daemon(libvirt)
    libvirt.virsh("save", "guest", "/tmp/saved")
    check_ended(libvirt, pid)
    check_nothing_left(lab, libvirt)
    libvirt.virsh("restore", "--paused", "/tmp/saved")
    console.connect()
    libvirt.virsh("resume", "guest")
    equal(only_daemon(libvirt)[1], words, "its arguments once the guest is restored")


def no_port(console):
    """How many datagrams to ports without a service the guest has had, by IPv6."""
    return int(console.must("awk '/Udp6NoPorts/ { print $2 }' /proc/net/snmp6"))


def check_udp_forward(lab, console):
    """What is sent to ports in the range comes to the guest, which refuses it."""
    before = no_port(console)
    sock = lab.server.udp_socket("::")
    for port in 5000, 5010, 5020:
        sock.sendto(b"knock", (HOST_ADDR6, port))
    eventually(lambda: no_port(console) >= before + 2, DEADLINE, "datagrams reach the guest")
    equal(no_port(console), before + 2, "the number of datagrams that reached the guest")


def plug_and_unplug(lab, libvirt, console):
    """A second interface, with a daemon of its own, comes and goes."""
    first, _ = only_daemon(libvirt)
    device = libvirt.file("second.xml", interface(forward("start='2322' to='22'"), mac=SECOND_MAC))
    libvirt.virsh("attach-device", "guest", device)
    second, = set(libvirt.daemons()) - {first}
    console.must("until ip link show eth1; do sleep 0.1; done && ip link set eth1 up")
    contains(lease(console, "eth1"), f"address={HOST_ADDR}/24", "the second interface's lease")
    check_forward(lab.host, "127.0.0.1", 2322)
    check_downloads(lab, console, SERVER_ADDR)
    libvirt.virsh("detach-device", "guest", device)
    check_ended(libvirt, second)
    eventually(lambda: len(libvirt.files()) == 2, DEADLINE, "the second daemon's files are gone")
    equal(only_daemon(libvirt)[0], first, "the first daemon")
    check(not answers(lab.host, "127.0.0.1", 2322), "the second interface's forward is still open")


@deadline(900)
@own_cgroup
def test_guest(lab):
    """A guest of the system is online, and again after its daemon was killed, it was saved and
    restored, and had another interface for a while."""
    libvirt = start(lab, NEWEST)
    console = boot(libvirt, interface(
        f"<source dev='uplink'/><mtu size='1400'/><route family='ipv4' gateway='{GATEWAY}'/>"
        f"<ip family='ipv4' address='{ADDR}' prefix='24'/>"
        f"<ip family='ipv6' address='{PREFIX}:20' prefix='64'/>" +
        forward("start='2222' to='22'") +
        forward("start='2300' end='2303' to='21'", "start='2302' exclude='yes'",
                attributes=f"address='{HOST_ADDR}' dev='uplink'") +
        forward("start='5000' end='5020' to='6000'", "start='5010' end='5015' exclude='yes'",
                proto="udp", attributes=f"address='{HOST_ADDR6}'"), f"logFile='{LOG}'"))

    def check_online():
        check_downloads(lab, console, SERVER_ADDR, SERVER_ADDR6)
        check_forward(lab.host, "127.0.0.1", 2222)
        check_forward(lab.server, HOST_ADDR, 2301)

    check_process(libvirt, only_daemon(libvirt)[0], QEMU_USER[1])
    check_in_group(libvirt)
    words = lease(console)
    for part in f"address={ADDR}/24", f"gateway={GATEWAY}", "mtu=1400":
        contains(words, part, "the lease")
    wait_ip6(console, PREFIX)
    check_online()
    check_forward(lab.host, "::1", 2222)
    check(not answers(lab.server, HOST_ADDR, 2302), "the port left out is open")
    check_udp_forward(lab, console)
    kill_daemon(libvirt)
    check_online()
    save_and_restore(lab, libvirt, console)
    check_online()
    plug_and_unplug(lab, libvirt, console)
    console.must(f"ip route replace default via {GATEWAY} dev eth0")  # which was the other one's
    check_online()
    equal(lease(console), words, "the lease taken once more")
    destroy(lab, libvirt)
    check_log(lab)


@deadline(600)
@own_cgroup
def test_session(lab):
    """A guest of a user's own libvirt, with the host's addresses, is online, and again after its
    daemon was killed."""
    libvirt = start(lab, OLDER, session=True)
    console = boot(libvirt, interface(forward("start='2222' to='22'"), f"logFile='{LOG}'"))
    check_process(libvirt, only_daemon(libvirt)[0], SESSION_USER[1])
    contains(lease(console), f"address={HOST_ADDR}/24", "the lease")
    wait_ip6(console, PREFIX6)
    check_downloads(lab, console, SERVER_ADDR, SERVER_ADDR6)
    check_forward(lab.host, "127.0.0.1", 2222)
    kill_daemon(libvirt)
    check_forward(lab.host, "127.0.0.1", 2222)
    check_downloads(lab, console, SERVER_ADDR)
    destroy(lab, libvirt)
    check_log(lab)
