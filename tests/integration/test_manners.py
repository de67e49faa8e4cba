"""The manners that callers of passt rely on: names, exit, descriptors, users, and poor surroundings."""

import contextlib
import os
import pathlib
import re
import select
import signal
import socket
import stat
import struct
import subprocess
import types

from lab import frames
from lab.checks import Skip, check, contains, equal, eventually, within
from lab.daemon import SANITIZERS, plain_program, program
from lab.frames import ACK, RST, TCP, Link
from lab.hand import Hand
from lab.lab import HOST_ADDR, ROUTER_ADDR, SERVER_ADDR, SERVER_ADDR6
from lab.servers import TcpServer, echo, receive_all

LAB = pathlib.Path(__file__).parent / "lab"
FORBID, INITRAMFS = LAB / "forbid.py", LAB / "initramfs.py"
LIBVIRT_QEMU = ["setpriv", "--reuid=64055", "--regid=64055", "--clear-groups", "--inh-caps=-all"]


def need_users():
    with open("/proc/self/uid_map") as uid_map:
        if int(uid_map.read().split()[2]) == 1:
            raise Skip("a second user needs a namespace with more than one")


def as_passt(lab, binary=None):
    """The program under the name of passt."""
    link = lab.folder / "bin" / "passt"
    link.parent.mkdir(exist_ok=True)
    if not link.exists():
        link.symlink_to(binary or program("postern"))
    return link


def call(lab, *argv, status=0, wrapper=(), **kwargs):
    """Runs argv until it exits and nobody has its standard output and error any more."""
    done = subprocess.run(lab.host.command(*wrapper, *argv), text=True, timeout=30, capture_output=True,
                          stdin=subprocess.DEVNULL, env=os.environ | SANITIZERS, **kwargs)
    equal(done.returncode, status, f"status of {' '.join(map(str, argv))}, which said {done.stderr!r}")
    return done


def fails(lab, *argv, **kwargs):
    """The reason, which is all that a program says that fails to start."""
    done = call(lab, *argv, status=1, **kwargs)
    equal(done.stdout, "", "standard output")
    equal(len(done.stderr.splitlines()), 1, f"lines of {done.stderr!r}")
    return done.stderr


def owner(path):
    """Who listens there; the client that asks leaves at once."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(path))
        return struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]


def ended(pid, status=0):
    """The daemon, which is nobody's child but ours by now, ends with this status."""
    with within(10, "the end"):
        equal(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), status, "the daemon's status")


def end(pid):
    os.kill(pid, signal.SIGTERM)
    ended(pid)


def fields_of(pid):
    with open(f"/proc/{pid}/status") as status:
        return {name: value.split() for name, _, value in (line.partition(":") for line in status)}


def ports(lab, proto="tcp"):
    """Which ports something listens on."""
    shown = lab.host.run("ss", "-ltnH" if proto == "tcp" else "-lunH")
    return {int(line.split()[3].rsplit(":", 1)[1]) for line in shown.splitlines()}


def alive(path):
    with Link(types.SimpleNamespace(socket=path)) as link:
        link.alive()


# libvirt: waits for the exit and the end of both outputs, reads the pid file, connects once.

def libvirt(lab, *args, pid_file=True, tcp=(), udp=()):
    """Starts what libvirt would, plays QEMU, and sees it off."""
    path, pid_path = lab.folder / "1-vm-net0.socket", lab.folder / "1-vm-net0-passt.pid"
    argv = [as_passt(lab), "--one-off", "--socket", path]
    if pid_file:
        argv += ["--pid", pid_path]
    call(lab, *argv, *args, wrapper=LIBVIRT_QEMU, cwd="/", umask=0o022)
    equal(ports(lab), set(tcp), f"TCP ports of {args}")
    equal(ports(lab, "udp"), set(udp), f"UDP ports of {args}")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(path))
        pid, uid, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        if pid_file:
            equal(pid_path.read_text(), f"{pid}\n", "the pid file")
        equal(uid, 64055, "the user")
        equal(os.getsid(pid), pid, "the session")
    ended(pid)
    check(not path.exists() and not pid_path.exists(), "files are left behind")


def test_libvirt(lab):
    """What libvirt 9.0 to 12 run starts, with every argument they have, and ends with its client."""
    need_users()
    lab.host.sysctl("ipv4/ip_unprivileged_port_start", 0)
    log = lab.folder / "vm.log"
    mac = ["--mac-addr", frames.GUEST_MAC]
    libvirt(lab, *mac, pid_file=False)
    libvirt(lab, *mac, "--mtu", "1400", "--interface", "uplink", "--log-file", log, "--address",
            "172.17.2.4", "--netmask", "24", "--address", "2001:db8::1", "--tcp-ports", "2222:22",
            "--udp-ports", "53", pid_file=False, tcp=[2222], udp=[53])
    libvirt(lab, *mac, "--tcp-ports", "80", tcp=[80])
    libvirt(lab, "--address", "169.254.2.15", "--netmask", "16")
    libvirt(lab, "--mtu", "1500", "--interface", "uplink", "--log-file", log, "--hostname", "vm",
            "--fqdn", "vm.example.org", "--address", "192.0.2.15", "--netmask", "24")
    libvirt(lab, "--hostname", "vm", "--fqdn", "vm.example.org", "--gateway", "192.0.2.1")
    libvirt(lab, "--log-file", log, "--tcp-ports", "2222:22", tcp=[2222])
    libvirt(lab, "--interface", "uplink", "--address", "172.17.2.4", "--netmask", "24", "--address",
            "2001:db8:ac10:fd01::20", "--tcp-ports", "2000-2003:22-25,~2002", tcp=[2000, 2001, 2003])
    check(log.stat().st_uid == 64055 and "older lines" not in log.read_text(), "the log file")


def test_libvirt_forwards(lab):
    """Each form of <portForward> opens what it says."""
    need_users()
    lab.add_ip6()
    lab.host.sysctl("ipv4/ip_unprivileged_port_start", 0)
    lab.host.ip("addr add 2001:db8:9::10/64 dev uplink nodad")
    libvirt(lab, "--tcp-ports", "2222:22", tcp=[2222])
    libvirt(lab, "--tcp-ports", "80,8443:443", tcp=[80, 8443])
    libvirt(lab, "--tcp-ports", f"{HOST_ADDR}/2022:22", tcp=[2022])
    libvirt(lab, "--tcp-ports", f"{HOST_ADDR}%uplink/2022:22", tcp=[2022])
    libvirt(lab, "--tcp-ports", "%uplink/2022:22", tcp=[2022])
    libvirt(lab, "--udp-ports", "2001:db8:9::10%uplink/5000-5020:6000-6020,~5010-5015",
            udp=[*range(5000, 5010), *range(5016, 5021)])
    libvirt(lab, "--tcp-ports", "22", "--udp-ports", "53", "--tcp-ports", "23", tcp=[22, 23], udp=[53])


def test_all_ports(lab):
    """"all", and excludes alone, are every port but those of outgoing connections and those in use."""
    need_users()
    lab.host.sysctl("ipv4/ip_unprivileged_port_start", 0)
    lab.host.sysctl("ipv4/ip_local_port_range", "300 65500")
    every = {*range(1, 300), *range(65501, 65536)}
    taken = lab.host.tcp_listen(port=80)
    libvirt(lab, "--tcp-ports", "all", tcp=every)
    libvirt(lab, "--tcp-ports", "%uplink/all", "--udp-ports", "%uplink/all", tcp=every, udp=every)
    libvirt(lab, "--tcp-ports", "~7,~200-299", tcp=(every - {7, *range(200, 300)}) | {80})
    libvirt(lab, "--tcp-ports", "all", "--tcp-ports", "400:22", tcp=every | {400})
    taken.close()
    libvirt(lab, "--tcp-ports", "40000,all", tcp=every | {40000})


def test_libvirt_sees_the_reason(lab):
    """A start that fails says why, in one line behind which nothing hides, and leaves nothing."""
    need_users()
    path, taken = lab.folder / "x.socket", lab.host.tcp_listen(port=2222)
    start = [as_passt(lab), "--one-off", "--socket", path, "--pid", lab.folder / "x.pid"]
    # the sandbox has things to warn of
    wrapper = [*LIBVIRT_QEMU, FORBID, "unshare"]
    for args, reason in (
            (["--tcp-ports", "2222:22"], "passt: TCP *:2222: Address already in use"),
            (["--tcp-ports", "80,8443:443"], "passt: TCP *:80: Permission denied; ports below"),
            (["--tcp-ports", "198.51.100.9/22222"], "passt: TCP 198.51.100.9:22222: Cannot assign"),
            (["--tcp-ports", "22-"], "passt: -t '22-': "),
            (["--interface", "nowhere"], "passt: there is no interface 'nowhere'"),
            (["--log-file", "/nowhere/log"], "passt: cannot open log file '/nowhere/log': No such"),
            (["--log-file", "/etc/log"], "passt: cannot open log file '/etc/log': Permission denied"),
            (["--pid", "/nowhere/pid"], "passt: cannot open pid file '/nowhere/pid': No such file"),
            (["--socket", "/nowhere/s"], "passt: cannot listen on '/nowhere/s': No such file"),
            (["--address", "192.0.2.5/24", "--netmask", "24"], "passt: --address '192.0.2.5/24' and"),
            (["--mtu", "70000"], "passt: --mtu '70000' is not 0 or a number from 68 to 65520"),
            (["--sandbox=strict"], "passt: --sandbox=strict: no user namespace: Operation not"),
            (["--runas", "107"], "passt: --runas: cannot become user 107 of group 107: Operation")):
        said = fails(lab, *start, *args, wrapper=wrapper)
        check(said.startswith(reason), f"{said!r} does not begin with {reason!r}")
        check(not path.exists() and not (lab.folder / "x.pid").exists(), f"files are left by {args}")
    taken.close()


def test_vhost_user_is_refused(lab):
    """vhost-user is refused with a reason, as what is asked of such programs is."""
    for args in ["--vhost-user", "--one-off"], ["--print-capabilities"], ["--repair-path", "x"], ["-c", "x"]:
        done = call(lab, as_passt(lab), *args, status=1)
        equal(len(done.stderr.splitlines()), 2, f"lines of {done.stderr!r}")
        contains(done.stderr, " is refused: ")
        contains(done.stderr, "Try 'passt --help'.")


# QEMU: its end of a socket pair on descriptor 3, an empty pid file, all properties at once.

QEMU = """--quiet --mtu 1500 --address 192.0.2.15 --netmask 255.255.255.0 --mac-addr 9a:55:9a:55:9a:56
--gateway 192.0.2.1 --interface uplink --outbound 192.0.2.2 --outbound-if4 uplink --dns 198.51.100.53
--fqdn vm.example.org --no-dhcp-dns --no-dhcp-search --map-host-loopback 192.0.2.77
--map-guest-addr 192.0.2.78 --dns-forward 192.0.2.79 --dns-host 198.51.100.53 --no-icmp --no-dhcp
--no-ndp --no-dhcpv6 --no-ra --freebind --ipv4-only --tcp-ports 2222:22,203.0.113.9/8080
--udp-ports 5353,5354 --hostname vm""".split()
QEMU[QEMU.index("2222:22,203.0.113.9/8080")] = "2222:22,8080"


@contextlib.contextmanager
def on_fd_3(lab, *args, redirect=""):
    """Runs passt as QEMU does; yields (our end, pid)."""
    pid_path = lab.folder / "qemu.pid"
    pid_path.touch(mode=0o600)
    pid_path.write_text("")
    ours, theirs = socket.socketpair()
    with ours, theirs:
        n = theirs.fileno()
        call(lab, as_passt(lab), *args, "--pid", pid_path, "--fd", "3", pass_fds=(n,),
             wrapper=["bash", "-c", f'exec 3<&{n} {n}<&-; exec "$@" {redirect}', "qemu"])
        theirs.close()
        pid = int(pid_path.read_text())
        equal(stat.S_IMODE(pid_path.stat().st_mode), 0o600, "the pid file's mode")
        yield ours, pid
    if pid_path.exists():
        raise AssertionError("the pid file is left behind")


def on(sock):
    """A link on a connected socket."""
    link = Link.__new__(Link)
    link.sock, link.buffer = sock, b""
    return link


def test_qemu(lab):
    """What QEMU's -netdev passt runs serves descriptor 3 and ends when that closes."""
    for args in QEMU, ["--quiet", "--search", "a.example b.example"], ["--quiet", "--ipv6-only"], \
            ["--quiet", "--no-tcp", "--no-udp"]:
        with on_fd_3(lab, *args) as (sock, pid):
            if "--ipv6-only" not in args:
                on(sock).alive()
            sock.close()
            ended(pid)
    with on_fd_3(lab, *QEMU) as (sock, pid):
        equal((ports(lab), ports(lab, "udp")), ({2222, 8080}, {5353, 5354}), "the ports")
        end(pid)


def test_qemu_without_standard_descriptors(lab):
    """Descriptors 0 to 2 may be closed, and all others but the link's are closed by the daemon."""
    for redirect in "<&- >&- 2>&-", "<&-", ">&-", "2>&-":
        with on_fd_3(lab, "--quiet", redirect=redirect) as (sock, pid):
            on(sock).alive()
            end(pid)
    reader, writer = os.pipe()
    pipe = f"/proc/{os.getpid()}/fd/{writer}"
    with on_fd_3(lab, "--quiet", redirect=f"4>{pipe} 9>{pipe}") as (sock, pid):
        os.close(writer)
        check(select.select([reader], [], [], 10)[0], "the daemon holds what it was not given")
        equal(os.read(reader, 1), b"", "what the pipe's other end says")
        on(sock).alive()
        os.close(reader)
        end(pid)


def test_fd_that_is_none(lab):
    """A descriptor that is no connected stream, or one beside --socket, is refused."""
    contains(fails(lab, as_passt(lab), "--fd", "77"), "passt: --fd '77': Bad file descriptor")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        contains(fails(lab, as_passt(lab), "--fd", sock.fileno(), pass_fds=(sock.fileno(),)),
                 "--fd is not a connected stream socket")
    ours, theirs = socket.socketpair()
    with ours, theirs:
        contains(fails(lab, as_passt(lab), "--fd", theirs.fileno(), "-s", lab.folder / "s",
                       pass_fds=(theirs.fileno(),)), "exclude each other")


# Others.

def test_started_again_at_once(lab):
    """Who ends it by its pid file and starts it again finds the new one in the pid file."""
    path, pid_path = lab.folder / "s", lab.folder / "pid"
    lab.folder.chmod(0o777)
    argv = lab.host.command(plain_program("postern"), "-q", "-l", lab.folder / "log", "-s", path, "-P", pid_path)
    pid = None
    for _ in range(30):
        if pid:
            os.kill(pid, signal.SIGTERM)
        with within(10, "a new one takes the socket"):
            while (done := subprocess.run(argv, stderr=subprocess.PIPE, text=True)).returncode:
                contains(done.stderr, "in use")
        if pid:
            ended(pid)
        pid = owner(path)
        equal(pid_path.read_text() if pid_path.exists() else None, f"{pid}\n", "the pid file")
    end(pid)


def test_muvm(lab):
    """A child in the foreground on a descriptor, in a user namespace of its own within a second."""
    need_users()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        child = lab.host.spawn(*LIBVIRT_QEMU, as_passt(lab), "-q", "-f", "--fd", theirs.fileno(), "-t",
                               "127.0.0.1/3334-3336:3334-3336", "-u", "127.0.0.1/3334:3334",
                               pass_fds=(theirs.fileno(),), stderr=subprocess.DEVNULL,
                               env=os.environ | SANITIZERS)
        theirs.close()
        on(ours).alive()
        eventually(lambda: os.readlink(f"/proc/{child.pid}/ns/user") != os.readlink("/proc/self/ns/user"),
                   10, "the child has a user namespace of its own")
        equal(ports(lab), {3334, 3335, 3336}, "the ports")
    equal(child.wait(10), 0, "the status")


def test_image_scripts(lab):
    """What images of QEMU run: a copy of the program, all by short names, outputs to /dev/null."""
    copy, path = lab.folder / "passt", pathlib.Path("/run/passt.socket")
    pid_path, log = pathlib.Path("/run/passt.pid"), lab.folder / "passt.log"
    copy.write_bytes(as_passt(lab).read_bytes())
    copy.chmod(0o755)
    call(lab, copy, "-4", "-a", "192.0.2.20", "-g", ROUTER_ADDR, "-n", "255.255.255.0", "-m", "1500", "-t",
         "%uplink/22,3389,5700-5702", "-u", "%uplink/3389", "-H", "qemu", "-M", "02:76:74:00:00:01", "-P",
         pid_path, "-s", path, "-l", log, "-q",
         wrapper=["sh", "-c", 'exec "$@" >/dev/null 2>&1', "network.sh"])
    equal((ports(lab), ports(lab, "udp")), ({22, 3389, 5700, 5701, 5702}, {3389}), "the ports")
    alive(path)
    pid = int(pid_path.read_text())
    equal(owner(path), pid, "who listens")
    alive(path)  # the next QEMU
    end(pid)


def test_names(lab):
    """The name that the program is called by is that of its messages and of its free sockets."""
    ours = call(lab, program("postern"), "--version").stdout.splitlines()[0]
    equal(call(lab, as_passt(lab), "--version").stdout.splitlines()[0],
          f"passt (postern) {ours.split()[1]}", "the version")
    check(call(lab, as_passt(lab), "-h").stdout.startswith("Usage: passt [OPTION]..."), "the help text")
    said = call(lab, as_passt(lab), "--nonsense", status=1).stderr.splitlines()
    equal(said, ["passt: unknown option '--nonsense'", "Try 'passt --help'."], "the message")


def test_a_reason_is_one_line(lab):
    """Nothing in an option or in the environment makes more than a line of the reason, or drives a terminal."""
    odd, shown = "1\nerror \033[2J", "1?error ?[2J"
    for option in "--mtu", "--fd", "--dns", "--runas", "--tcp-ports":
        contains(fails(lab, program("postern"), option, odd), shown)
    said = call(lab, program("postern"), f"--{odd}", status=1).stderr.splitlines()
    equal(said, [f"postern: unknown option '--{shown}'", "Try 'postern --help'."], "the message")
    contains(fails(lab, "sh", "-c", 'LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES="$2" exec "$1"', "sh",
                   program("postern"), odd), shown)


def test_free_socket(lab):
    """Without -s, the first socket that nobody listens on is taken, of the name that is called."""
    tmp = lab.folder / "tmp"
    tmp.mkdir(mode=0o1777)
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(tmp / "passt_2.socket"))
    # what is below /tmp at other times is the program's own folder
    copies = lab.folder / "copies"
    copies.mkdir()
    for name in "passt", "postern":
        (copies / name).write_bytes(pathlib.Path(program("postern")).read_bytes())
        (copies / name).chmod(0o755)
    view = ["sh", "-c", f'mount --bind {tmp} /tmp && exec "$@"', "view"]
    pids = []
    for n, name in enumerate(["passt", "passt", "passt", "postern"]):
        call(lab, copies / name, "-q", "-P", lab.folder / f"{n}.pid", wrapper=view)
        pids.append(int((lab.folder / f"{n}.pid").read_text()))
    for pid, name in zip(pids, ["passt_1", "passt_2", "passt_3", "postern_1"]):
        equal(owner(tmp / f"{name}.socket"), pid, f"who listens at {name}.socket")
        end(pid)


# Users.

def test_root_becomes_nobody(lab):
    """Started by root, it opens its files in root's folders, and goes on as nobody."""
    need_users()
    folder = lab.folder / "root"
    folder.mkdir(mode=0o755)
    path, control, log, pid_path = (folder / name for name in ("s", "ctl", "log", "pid"))
    for _ in range(2):  # over what the first leaves
        call(lab, "setpriv", "--groups=4,27", plain_program("postern"), "-d", "-s", path, "--control", control, "-l", log, "-P", pid_path,
             "-t", "80")
        pid = int(pid_path.read_text())
        fields = fields_of(pid)
        equal((fields["Uid"], fields["Gid"], fields["Groups"]), (["65534"] * 4, ["65534"] * 4, []), "the user")
        alive(path)
        size = log.stat().st_size
        lab.host.run(program("posternctl"), "-s", control, "forward", "add", "tcp", "443:22")
        equal(ports(lab), {80, 443}, "the ports")
        check(log.stat().st_size > size, "the log does not grow")
        contains(lab.host.run(program("posternctl"), "-s", control, "status"), "of user 65534")
        end(pid)
        equal(pid_path.read_text(), "", "the pid file")


def test_freebind(lab):
    """With --freebind an address need not be the host's when the daemon starts."""
    lab.add_ip6()
    forwards = ["-t", "192.0.2.99/2222", "-u", "192.0.2.99/2223", "-t", "2001:db8:a::99/2224"]
    contains(fails(lab, program("postern"), "-s", lab.folder / "s", *forwards), "Cannot assign requested")
    daemon = lab.daemon().start("--freebind", *forwards)
    lab.guest.attach(daemon)
    lab.guest.configure()
    TcpServer(lab, lab.guest.tcp_listen(port=2222), echo)
    lab.host.ip("addr add 192.0.2.99/24 dev uplink")
    with lab.server.tcp_connect("192.0.2.99", 2222) as sock:
        sock.sendall(b"hello")
        equal(receive_all(sock, 5), b"hello", "the echo")


def test_runas(lab):
    """--runas is who it becomes; an ordinary user becomes nobody else, and says so."""
    need_users()
    for user, expected in (("107:36", ("107", "36")), ("107", ("107", "107")), ("daemon", ("1", "1")),
                           ("daemon:nogroup", ("1", "65534"))):
        for mode in "strict", "none":
            daemon = lab.daemon().start("--runas", user, f"--sandbox={mode}", binary=plain_program("postern"))
            with Link(daemon) as link:
                link.alive()
            fields = fields_of(daemon.process.pid)
            equal((fields["Uid"], fields["Gid"]), tuple([n] * 4 for n in expected), f"who is {user}")
            equal(fields["Groups"], [], "other groups")
            equal(daemon.ctl_json("status")["uid"], int(expected[0]), "the user in the status")
            daemon.stop()
    contains(fails(lab, program("postern"), "-s", lab.folder / "s", "--runas", "107:36", "--sandbox=none",
                   wrapper=LIBVIRT_QEMU),
             "postern: --runas: cannot become user 107 of group 36: Operation not permitted")


def test_root_of_its_own_namespace(lab):
    """Root of a user namespace that has no one else stays what it is: an ordinary user outside."""
    daemon = lab.daemon().start(binary=plain_program("postern"), wrapper=["unshare", "--user", "--map-root-user"])
    with Link(daemon) as link:
        link.alive()
    layer = daemon.ctl_json("status")["sandbox"][0]
    equal((layer["layer"], layer["state"]), ("user", "off"), "the layer")
    contains(layer["reason"], "no other user")
    check("warning" not in daemon.log(), f"there is a warning: {daemon.log()}")


def test_root_that_stays(lab):
    """Root that may become nobody else, as in some containers, goes on with a warning; strict does not."""
    need_users()
    wrapper = ["setpriv", "--bounding-set=-setuid,-setgid"]
    daemon = plain(lab, wrapper=wrapper)
    with Link(daemon) as link:
        link.alive()
    equal(states(daemon)["user"], "unavailable", "the layer")
    contains(daemon.log(), "warning: daemon: sandbox: no way to another user: Operation not permitted")
    equal(fails(lab, plain_program("postern"), "-s", lab.folder / "s", "--sandbox=strict", wrapper=wrapper),
          "postern: --sandbox=strict: no way to another user: Operation not permitted\n", "the log")


def test_root_without_low_ports(lab):
    """Root that holds no CAP_NET_BIND_SERVICE has every layer, and is nobody."""
    need_users()
    daemon = lab.daemon().start("--sandbox=strict", binary=plain_program("postern"),
                                wrapper=["setpriv", "--bounding-set=-net_bind_service"])
    with Link(daemon) as link:
        link.alive()
    equal(set(states(daemon).values()), {"applied"}, "the states")
    equal(daemon.ctl_json("status")["uid"], 65534, "the user")


def test_mac_of_the_guest(lab):
    """The hardware address of --mac-addr may be the guest's own, as libvirt 9 has it."""
    lab.add_ip6()
    lab.start("--mac-addr", frames.GUEST_MAC)
    contains(lab.guest.run("ping", "-n", "-c1", "-W5", SERVER_ADDR), "1 received")
    lab.guest.wait_ip6()
    contains(lab.guest.run("ping", "-n", "-c1", "-W5", SERVER_ADDR6), "1 received")


# QEMU's restart, and a snapshot restored.

def is_arp_announcement(packet):
    return (packet.ethertype == frames.ETH_ARP and packet.frame[20:22] == b"\0\1" and
            packet.frame[28:32] == frames.ip(ROUTER_ADDR))


def is_neighbor_announcement(packet):
    """Unsolicited, to all nodes, with the override flag."""
    return (packet.ethertype == frames.ETH_IP6 and packet.frame[54:55] == b"\x88" and
            packet.frame[38:54] == frames.ip("ff02::1") and packet.frame[58] & 0x60 == 0x20)


def test_client_after_client(lab):
    """Each new client is told the gateway's hardware address again; its old connections are reset."""
    lab.add_ip6()
    daemon = lab.daemon().start()
    server = TcpServer(lab, lab.server.tcp_listen(), echo)
    segment = None
    for _ in range(3):
        with Link(daemon) as link:
            for announced in is_arp_announcement, is_neighbor_announcement:
                link.expect(announced, announced.__name__)
        # what comes first of all is the gateway, before a guest asks
        with Link(daemon) as link:
            link.expect(is_arp_announcement, "the announcement")
            if segment:
                link.send(segment)
                port = struct.unpack_from("!H", segment, 34)[0]
                link.expect(lambda p: p.proto == TCP and p.dport == port and p.flags & RST,
                            "the reset of the old connection")
            hand = Hand(link, server.port)
            hand.send(b"before")
            hand.expect_ack()
            segment = hand.segment(ACK, b"after")


# Containers and other poor surroundings.

def check_serves(lab, daemon):
    lab.guest.attach(daemon)
    lab.guest.configure()
    contains(lab.guest.run("ping", "-n", "-c1", "-W5", SERVER_ADDR), "1 received")
    daemon.ctl("forward", "add", "tcp", "2222:22")
    lab.guest.detach()
    daemon.stop()


def states(daemon):
    return {row["layer"]: row["state"] for row in daemon.ctl_json("status")["sandbox"]}


def plain(lab, *args, wrapper=()):
    """As callers start it: with as much of the sandbox as can be had, unless args say else."""
    return lab.daemon().start("--sandbox=auto", *args, binary=plain_program("postern"), wrapper=wrapper)


def test_without_unshare(lab):
    """Where unshare(2) is forbidden, the layers that need it are missing, and strict does not start."""
    for wrapper in [FORBID, "unshare"], [FORBID, "unshare,mount,pivot_root"]:
        daemon = plain(lab, wrapper=wrapper)
        got = states(daemon)
        equal({name for name, state in got.items() if state == "unavailable"}, {"namespaces", "root"},
              "what cannot be had")
        equal(got["seccomp"], "applied", "the filter")
        check_serves(lab, daemon)
        equal(lab.daemon().fails_to_start("--sandbox=strict", binary=plain_program("postern"), wrapper=wrapper),
              "postern: --sandbox=strict: no mount, IPC and UTS namespaces: Operation not permitted\n", "the log")


def test_without_user_namespaces(lab):
    """Where there can be no more user namespaces, an ordinary user has all that needs none."""
    wrapper = ["unshare", "--user", "--map-root-user", "sh", "-c",
               'echo 0 >/proc/sys/user/max_user_namespaces && exec setpriv --bounding-set=-all '
               '--inh-caps=-all "$@"', "none"]
    daemon = plain(lab, wrapper=wrapper)
    got = states(daemon)
    equal({name for name, state in got.items() if state == "unavailable"},
          {"user_namespace", "namespaces", "root"}, "what cannot be had")
    check_serves(lab, daemon)


def test_without_pivot_root(lab):
    """Where pivot_root(2) is forbidden, or fails as in a chroot, the root is empty all the same."""
    for wrapper in ([FORBID, "pivot_root"],
                    ["sh", "-c", 'mkdir -p /run/lab/root && mount --rbind / /run/lab/root && '
                     'exec chroot /run/lab/root "$@"', "chroot"],
                    ["sh", "-c", 'exec chroot / "$@"', "chroot"]):
        daemon = plain(lab, "--sandbox=strict", "--chroot-fallback", wrapper=wrapper)
        equal(states(daemon)["root"], "applied", "the layer")
        equal(os.listdir(f"/proc/{daemon.process.pid}/root"), ["etc"], "what is in the root")
        check_serves(lab, daemon)


def test_initramfs(lab):
    """Where the root is the kernel's first one, the sandbox is whole."""
    need_users()
    try:
        daemon = lab.daemon()
        inside = pathlib.Path("/postern-lab")
        with open(daemon.log_path, "ab") as log:
            daemon.process = lab.host.spawn(
                INITRAMFS, plain_program("postern"), "-f", "--sandbox=strict", "-s", daemon.socket, "--control",
                daemon.control, stdout=log, stderr=log)
        eventually(lambda: daemon.process.poll() is not None or daemon.control.exists(), 30, "it listens")
        check(daemon.running(), f"it ended: {daemon.log()}")
        contains(daemon.log() + str(states(daemon)), "'root': 'applied'")
        equal(os.listdir(f"/proc/{daemon.process.pid}/root"), [], "what is in the root")
        check(inside.exists() is False, "the folder is seen here")
        check_serves(lab, daemon)
    finally:
        lab.host.run(INITRAMFS, "--clean")


def test_read_only_root(lab):
    """On a root that cannot be written, the sandbox is whole."""
    daemon = plain(lab, "--sandbox=strict",
                   wrapper=["sh", "-c", 'mount -o remount,bind,ro / && exec "$@"', "read-only"])
    check_serves(lab, daemon)


def test_without_proc(lab):
    """Without /proc it starts, as root and as a user, and only the user has fewer layers for it."""
    view = ["sh", "-c", 'mount -t tmpfs tmpfs /proc && exec "$@"', "view"]
    daemon = plain(lab, "-t", "80", wrapper=view)
    check("unavailable" not in states(daemon).values(), f"the states are {states(daemon)}")
    equal(fields_of(daemon.process.pid)["CapEff"], ["0000000000000400"], "the capabilities")
    check_serves(lab, daemon)
    need_users()
    daemon = plain(lab, wrapper=[*view, *LIBVIRT_QEMU])
    equal({name for name, state in states(daemon).items() if state == "unavailable"},
          {"user_namespace", "namespaces", "root"}, "what cannot be had")
    check_serves(lab, daemon)


def test_without_files(lab):
    """Without resolv.conf, passwd and group it starts, and root becomes nobody."""
    need_users()
    for name in "resolv.conf", "passwd", "group", "nsswitch.conf":
        (lab.host.etc / name).unlink()
    daemon = plain(lab, "--sandbox=strict")
    equal(daemon.ctl_json("dns")["servers"], [], "the name servers")
    equal(fields_of(daemon.process.pid)["Uid"], ["65534"] * 4, "the user")
    check_serves(lab, daemon)


def test_without_devices(lab):
    """Without /dev it goes to the background, and lets go of its caller's outputs."""
    need_users()
    path, pid_path = lab.folder / "s", lab.folder / "pid"
    for redirect in "", "<&- 2>&-":
        call(lab, plain_program("postern"), "-s", path, "-P", pid_path, "-l", lab.folder / "log",
             wrapper=["sh", "-c", f'mount -t tmpfs tmpfs /dev && exec "$@" {redirect}', "view"])
        pid = int(pid_path.read_text())
        alive(path)
        equal({os.readlink(f"/proc/{pid}/fd/{n}").partition(":")[0] for n in range(3)}, {"socket"},
              "the standard descriptors")
        end(pid)


# What is told.

def test_stats(lab):
    """--stats tells what the counters have gained."""
    daemon = lab.daemon().start("--stats", "1")
    with Link(daemon) as link:
        link.alive()
        line = eventually(lambda: re.search("counters:.* arp.requests [+]1( .*)?$", daemon.log(), re.M), 10,
                          "the counters are told")
        check("+0" not in line.group(), f"what has not changed is told: {line.group()}")


def test_stderr_warns(lab):
    """--stderr is taken, with a warning."""
    contains(call(lab, as_passt(lab), "-e", "-1", "-q", "-s", lab.folder / "s").stderr,
             "warning: daemon: --stderr has no effect")
    os.kill(owner(lab.folder / "s"), 0)
