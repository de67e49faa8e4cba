"""The sandbox: each layer seen from outside, and every feature inside it."""

import contextlib
import os
import re
import signal
import socket

from lab import frames
from lab.checks import Skip, check, contains, equal, eventually, raises
from lab.daemon import plain_program, program, tool_path
from lab.frames import Link
from lab.lab import DNS2_ADDR, DNS_ADDR, HOST_ADDR, ROUTER_ADDR, SERVER_ADDR
from lab.servers import TcpServer, echo, receive_all, udp_echo

NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
NET_BIND_SERVICE = 1 << 10
# What tools/intruder.c calls when a frame asks for it.
FORBIDDEN = ("execve", "clone", "write", "create", "climb", "stream", "frames", "ptrace", "kill", "owner",
             "module", "code", "unshare", "mount", "setuid", "limit", "dumpable", "memory", "ring", "bpf", "keys")
# A process whose root is not that of its mount namespace may not make a user namespace.
CONFINED = ["sh", "-c", 'mkdir -p /run/lab/root && mount --rbind / /run/lab/root && '
            'exec chroot --userspec=65534:65534 /run/lab/root "$@"', "confined"]


def need_users():
    with open("/proc/self/uid_map") as uid_map:
        if int(uid_map.read().split()[2]) == 1:
            raise Skip("a second user needs a namespace with more than one")


def start(lab, *args, mode="strict", daemon=None, **kwargs):
    """A daemon in its sandbox: one without sanitizers, which need calls that it has no use for."""
    daemon = (daemon or lab.daemon()).start(f"--sandbox={mode}", *args, binary=plain_program("postern"), **kwargs)
    daemon.ctl("status")  # it listens before it locks itself in, and answers once it has
    return daemon


def status_of(pid):
    with open(f"/proc/{pid}/status") as status:
        fields = (line.partition(":") for line in status)
        return {name: value.strip() for name, _, value in fields}


def namespace(pid, name):
    return os.readlink(f"/proc/{pid}/ns/{name}")


def layers(daemon):
    return {row["layer"]: row for row in daemon.ctl_json("status")["sandbox"]}


def states(daemon):
    return {name: row["state"] for name, row in layers(daemon).items()}


def check_root(pid):
    """Nothing is in the root but the files of /etc, and nothing can be written."""
    equal(os.listdir(f"/proc/{pid}/root"), ["etc"], "what is in the root")
    inside = list(os.scandir(f"/proc/{pid}/root/etc"))
    folders = [entry for entry in inside if entry.is_dir(follow_symlinks=False)]
    check(len(folders) > 2 and len(inside) > len(folders), "there is little in the host's /etc")
    equal([entry.name for entry in folders if os.listdir(entry.path)], [], "folders with something in them")
    for path in "new", "etc/new":
        with raises(OSError, f"making {path}"):
            open(f"/proc/{pid}/root/{path}", "x").close()
    with open(f"/proc/{pid}/mountinfo") as mounts:
        for mount in mounts:
            options = set(mount.split()[5].split(","))
            check(options >= {"ro", "nosuid", "nodev", "noexec"}, f"the mount {mount}")


def check_locked(pid, kept):
    """What holds for any user."""
    status = status_of(pid)
    for name, expected in (("CapEff", kept), ("CapPrm", kept), ("CapBnd", kept), ("CapInh", 0),
                           ("CapAmb", 0)):
        equal(int(status[name], 16), expected, name)
    equal(status["NoNewPrivs"], "1", "NoNewPrivs")
    equal(status["Seccomp"], "2", "Seccomp")
    for name in "ipc", "uts":
        check(namespace(pid, name) != namespace("self", name), f"the namespace {name} is ours")
    with open(f"/proc/{pid}/limits") as limits:
        contains(limits.read(), "Max core file size        0                    0")
    check_root(pid)


# The layers.

def test_layers_of_root(lab):
    """Started as root: every layer but the user namespace, as nobody, with one capability."""
    need_users()
    daemon = start(lab)
    equal(status_of(daemon.process.pid)["Uid"].split(), ["65534"] * 4, "the user")
    check_locked(daemon.process.pid, NET_BIND_SERVICE)
    equal(namespace(daemon.process.pid, "user"), namespace("self", "user"), "the user namespace")
    got = layers(daemon)
    contains(got.pop("user_namespace")["reason"], "CAP_NET_BIND_SERVICE")
    equal({row["state"] for row in got.values()}, {"applied"}, "the states of the others")


def test_layers_of_a_user(lab):
    """Started by an ordinary user: every layer, and root may still look."""
    need_users()
    daemon = start(lab, wrapper=NOBODY)
    check_locked(daemon.process.pid, 0)
    check(namespace(daemon.process.pid, "user") != namespace("self", "user"),
          "the user namespace is ours")
    equal(os.stat(f"/proc/{daemon.process.pid}/environ").st_uid, 0, "who may see the process")
    equal(set(states(daemon).values()), {"applied"}, "the states")


def test_none(lab):
    """--sandbox=none leaves everything as it is."""
    daemon = start(lab, mode="none")
    pid, ours = daemon.process.pid, status_of("self")
    for name in "CapEff", "NoNewPrivs", "Seccomp":
        equal(status_of(pid)[name], ours[name], name)
    for name in "user", "ipc", "uts":
        equal(namespace(pid, name), namespace("self", name), f"the namespace {name}")
    check("usr" in os.listdir(f"/proc/{pid}/root"), "the root is the host's")
    equal(set(states(daemon).values()), {"off"}, "the states")


def test_refused(lab):
    """Where no namespace can be had, strict fails in one line, and auto warns of each and goes on."""
    need_users()
    lines = lab.daemon().fails_to_start("--sandbox=strict", binary=plain_program("postern"),
                                        wrapper=CONFINED).splitlines()
    equal(lines, ["postern: --sandbox=strict: no user namespace: Operation not permitted"], "the log")
    daemon = start(lab, mode="auto", wrapper=CONFINED)
    equal(len(re.findall("^warning: .*sandbox: no ", daemon.log(), re.M)), 3, "warnings")
    status = status_of(daemon.process.pid)
    equal((int(status["CapEff"], 16), status["NoNewPrivs"], status["Seccomp"]), (0, "1", "2"),
          "the other layers")


def test_program_under_test(lab):
    """The program that the other tests run is in all layers that it can be in."""
    daemon = lab.daemon().start("--sandbox=strict")
    got = states(daemon)
    check("unavailable" not in got.values(), f"the states are {got}")
    equal(got["root"], "applied", "the root")


def intrude(lab, what, mode="strict", daemon=None, *args, **kwargs):
    """The daemon, after a frame of the guest has had it make a call that it has no use for."""
    daemon = start(lab, *args, mode=mode, daemon=daemon, preload=tool_path("intruder.so"), **kwargs)
    with Link(daemon) as link:
        link.alive()
        link.send(frames.eth(0x88b5, f"intruder: {what}".encode()))
        daemon.process.wait(20)
    return daemon


def test_forbidden_calls(lab):
    """An intruder in the process who starts a program, writes a file, or looks around, ends it."""
    for what in FORBIDDEN:
        intrude(lab, what).judge(-signal.SIGSYS)
    intrude(lab, "nothing").judge(42)
    intrude(lab, "execve", mode="none").judge(42)


def test_forbidden_calls_of_a_user(lab):
    """The same where an ordinary user started it."""
    need_users()
    for what in FORBIDDEN:
        intrude(lab, what, wrapper=NOBODY).judge(-signal.SIGSYS)


def test_folders_lead_nowhere(lab):
    """From the folders of its socket, control socket and pid file, an intruder reaches no file above."""
    victim, folder = lab.folder / "victim", lab.folder / "below"
    folder.mkdir()
    folder.chmod(0o777)
    for mode, stays in ("strict", True), ("none", False):
        victim.touch()
        daemon = lab.daemon()
        daemon.socket, daemon.control = folder / "sock", folder / "ctl"
        intrude(lab, "remove", mode, daemon, "-P", folder / "pid").judge(42)
        equal(victim.exists(), stays, f"whether the file is there with {mode}")
        for path in folder.iterdir():
            path.unlink()


def end_of(process):
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT).si_code


def test_no_core(lab):
    """A crash leaves no core, whatever the limit was that the daemon started with."""
    unlimited = ["prlimit", "--core=unlimited:unlimited"]
    with open("/proc/sys/kernel/core_pattern") as pattern:
        dumps = not pattern.read().startswith(("|", "/"))
    for mode, dumped in ("strict", False), ("none", dumps):
        daemon = start(lab, mode=mode, wrapper=unlimited, cwd=lab.folder)
        daemon.process.send_signal(signal.SIGSEGV)
        equal(end_of(daemon.process) == os.CLD_DUMPED, dumped, f"whether a core is left with {mode}")
        daemon.process.wait()
    equal(any(path.name.startswith("core") for path in lab.folder.iterdir()), dumps, "whether there is one")


# The features.

def check_echo(node, addr, port):
    with node.tcp_connect(addr, port) as sock:
        sock.sendall(b"hello")
        equal(receive_all(sock, 5), b"hello", f"the echo of {addr} port {port}")


def check_datagram(node, addr, port):
    sock = node.udp_socket()
    sock.sendto(b"hello", (addr, port))
    equal(sock.recv(100), b"hello", f"the echo of {addr} port {port}")


def check_features(lab, daemon):
    lab.guest.attach(daemon)
    lab.guest.run("udhcpc", "-f", "-q", "-n", "-i", "eth0", "-t", 10, "-T", 2)
    contains(lab.guest.run("ping", "-n", "-c1", "-W5", SERVER_ADDR), "1 received")
    contains(lab.guest.run("dig", "+short", "www.lab.example"), SERVER_ADDR)
    contains(lab.guest.run("dig", "+short", "+tcp", "large.lab.example", "TXT"), "00xxx")
    check_echo(lab.guest, SERVER_ADDR, TcpServer(lab, lab.server.tcp_listen(), echo).port)
    sock = lab.server.udp_socket()
    udp_echo(lab, sock)
    check_datagram(lab.guest, SERVER_ADDR, sock.getsockname()[1])
    TcpServer(lab, lab.guest.tcp_listen(port=22), echo)
    udp_echo(lab, lab.guest.udp_socket(port=53))
    check_echo(lab.server, HOST_ADDR, 2222)
    daemon.ctl("forward", "add", "tcp", "4444:22")
    daemon.ctl("forward", "add", "udp", "%uplink/4444:53")
    check_echo(lab.server, HOST_ADDR, 4444)
    check_datagram(lab.server, HOST_ADDR, 4444)
    for what in "flows", "stats", "forwards", "leases", "dns":
        daemon.ctl(what)


def servers(daemon):
    return [server["addr"] for server in daemon.ctl_json("dns")["servers"]]


def check_follows(lab, daemon):
    """Resolvers and addresses of the host are followed."""
    lab.name_server(DNS2_ADDR, zone="moved.lab.example. 60 A 198.51.100.7\n")
    lab.host.resolv_conf(f"nameserver {DNS2_ADDR}\n")
    eventually(lambda: servers(daemon) == [DNS2_ADDR], 10, "the new name server is known")
    contains(lab.guest.run("dig", "+short", "moved.lab.example"), "198.51.100.7")
    lab.host.ip(f"addr del {HOST_ADDR}/24 dev uplink", "addr add 192.0.2.77/24 dev uplink",
                f"route add default via {ROUTER_ADDR}")
    eventually(lambda: daemon.ctl_json("status")["network"]["address"] == "192.0.2.77", 10,
               "the new address is known")


def test_features_of_root(lab):
    """As root, in the whole sandbox, everything works, and a port below 1024 is forwarded."""
    lab.name_server()
    daemon = start(lab, "-t", "2222:22", "--multicast")
    check_features(lab, daemon)
    daemon.ctl("forward", "add", "tcp", "443:22")
    check_echo(lab.server, HOST_ADDR, 443)
    check_follows(lab, daemon)


def test_features_of_a_user(lab):
    """As an ordinary user, too."""
    need_users()
    lab.name_server()
    daemon = start(lab, "-t", "2222:22", "--multicast", wrapper=NOBODY)
    check_features(lab, daemon)
    check_follows(lab, daemon)


def test_resolv_conf_by_link(lab):
    """Where resolv.conf is a link, the folder that it leads to is seen, and nothing beside it."""
    folder = lab.folder / "resolve"
    folder.mkdir()
    (lab.host.etc / "resolv.conf").unlink()
    (lab.host.etc / "resolv.conf").symlink_to("../run/lab/resolve/resolv.conf")
    daemon = start(lab)
    equal(servers(daemon), [], "the name servers at first")
    equal(os.listdir(f"/proc/{daemon.process.pid}/root/run/lab"), ["resolve"], "what is seen")
    for addr in DNS_ADDR, DNS2_ADDR:
        (folder / "new").write_text(f"nameserver {addr}\n")
        (folder / "new").rename(folder / "resolv.conf")
        eventually(lambda: servers(daemon) == [addr], 10, f"{addr} is known")


def bind_log(folder):
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.settimeout(10)
    sock.bind(str(folder / "log"))
    (folder / "log").chmod(0o666)  # as it is anywhere
    return sock


def test_system_log(lab):
    """The system log is reached, also after it has started again."""
    dev, pid_file = lab.folder / "dev", lab.folder / "postern.pid"
    dev.mkdir()
    (dev / "null").touch()
    log = bind_log(dev)
    lab.host.run("sh", "-c", 'mount --bind /dev/null "$1/null" && mount --rbind "$1" /dev && '
                 'shift && exec "$@"', "dev", dev, plain_program("postern"), "--sandbox=strict",
                 "-P", pid_file, "-s", lab.folder / "link")
    contains(log.recv(1000), b"postern[", "the log")
    log.close()
    (dev / "log").unlink()
    log = bind_log(dev)
    os.kill(int(pid_file.read_text()), signal.SIGTERM)
    contains(log.recv(1000), b"ending: Terminated", "the log")


def test_log_and_files(lab):
    """In the background: a full log file is cut, and the daemon's files go when it ends."""
    log, pid_file = lab.logs / "cut.log", lab.folder / "postern.pid"
    path, control = lab.folder / "daemon.sock", lab.folder / "daemon.ctl"
    log.write_text("an old line\n" * 3300)
    lab.host.run(plain_program("postern"), "--sandbox=strict", "--debug", "-l", log, "--log-size", "40k",
                 "-P", pid_file, "-s", path, "--control", control)
    pid = int(pid_file.read_text())
    try:
        equal(status_of(pid)["Seccomp"], "2", "Seccomp")
        for port in range(2000, 2050):
            lab.host.run(program("posternctl"), "-s", control, "forward", "add", "tcp", f"{port}:22")
        contains(log.read_text(), "older lines cut off", "the log")
        contains(log.read_text(), "TCP *:2049", "the log")
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    eventually(lambda: not any(p.exists() for p in (pid_file, path, control)), 5, "the files are gone")
