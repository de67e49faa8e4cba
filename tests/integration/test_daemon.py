"""The process: start, readiness, options, life with its client, and end."""

import contextlib
import os
import re
import signal
import socket
import stat
import subprocess

from lab.checks import Skip, check, contains, equal, eventually, within
from lab.daemon import program
from lab.frames import Link
from lab.lab import ROUTER_ADDR, SERVER_ADDR
from lab.servers import TcpServer, echo, receive_all


def check_service(lab):
    contains(lab.guest.run("ping", "-n", "-c1", "-W5", SERVER_ADDR), "1 received")


def invoke(lab, *args, status=0):
    """(standard output, standard error) of the daemon run to its end."""
    done = subprocess.run(lab.host.command(program("postern"), *args), text=True, timeout=30,
                          stdin=subprocess.DEVNULL, capture_output=True)
    equal(done.returncode, status, f"status of {' '.join(map(str, args))}")
    return done.stdout, done.stderr


# Information and mistakes.

def test_version_and_help(lab):
    """--version and --help print to standard output and exit 0."""
    out, err = invoke(lab, "--version")
    contains(out, "postern")
    equal(err, "", "standard error of --version")
    out, err = invoke(lab, "--help")
    equal(err, "", "standard error of --help")
    for option in ("--socket", "--control", "--tcp-ports", "--pid", "--one-off", "--private"):
        contains(out, option, "--help")


def test_bad_options(lab):
    """A mistake on the command line is told in one line, or two for what is no option, and exit status 1."""
    usage = ("--no-such-option", "-s", "stray", "--pid")
    for args in (["--no-such-option"], ["-s"], ["stray"], ["--mtu", "abc"], ["--mtu", "70000"],
                 ["--address", "300.1.1.1"], ["--address", "127.0.0.1"], ["--gateway", "x"],
                 ["--netmask", "255.0.255.0"], ["--dns", "nowhere"], ["--fd", "99"],
                 ["--fd", "-1"], ["--mac-addr", "1:2:3"], ["--private=10.0.2.0/33"],
                 ["--dns-record", "noequals"], ["--pid"]):
        out, err = invoke(lab, "-f", *args, status=1)
        equal(out, "", f"standard output of {args}")
        equal(len(err.splitlines()), 2 if args[0] in usage else 1, f"lines of the message for {args}: {err!r}")
        check(args[-1].lstrip("-").split("=")[0] in err, f"the message for {args}: {err!r}")


def test_unusable_paths(lab):
    """A socket, pid file or log that cannot be made is an error that names the path."""
    for args in (["-s", "/nowhere/x.sock"], ["-s", "/" + "x" * 200],
                 ["-s", lab.folder / "a.sock", "--pid", "/nowhere/pid"],
                 ["-s", lab.folder / "b.sock", "--log-file", "/nowhere/log"],
                 ["-s", lab.folder / "c.sock", "--control", "/nowhere/ctl"]):
        _, err = invoke(lab, "-f", *args, status=1)
        contains(err, str(args[-1])[:60], f"the message for {args}")


# Start and end.

def test_term_cleans_up(lab):
    """SIGTERM ends the daemon at once, with status 0 and without its files."""
    pid_file = lab.folder / "pid"
    daemon = lab.start("--pid", pid_file)
    equal(int(pid_file.read_text()), daemon.process.pid, "the pid in the pid file")
    check_service(lab)
    with within(2, "the end"):
        daemon.stop()
    for path in (daemon.socket, daemon.control, pid_file):
        check(not path.exists(), f"{path.name} is still there")


def test_other_signals(lab):
    """SIGINT and SIGQUIT end it like SIGTERM; SIGHUP and SIGPIPE do no harm."""
    for number in (signal.SIGINT, signal.SIGQUIT):
        daemon = lab.daemon().start()
        daemon.process.send_signal(signal.SIGPIPE)
        daemon.stop(number)
        check(not daemon.socket.exists(), f"the socket is still there after signal {number}")


def test_term_under_load(lab):
    """SIGTERM in the middle of transfers ends the daemon cleanly."""
    daemon = lab.start()
    lab.server.spawn("iperf3", "-s", log="iperf3.log")
    lab.server.wait_listening(5201)
    client = lab.guest.spawn("iperf3", "-c", SERVER_ADDR, "-t20", "-P4", "--bidir", log="client.log")
    rate = lab.host.space
    eventually(lambda: received_bytes(rate) > 1 << 20, 20, "the transfer runs")
    with within(5, "the end"):
        daemon.stop()
    client.kill()
    client.wait()


def received_bytes(space):
    """Bytes that the host's uplink has received."""
    with space.entered(), open("/proc/thread-self/net/dev") as table:
        return int(re.search(r"uplink: *(\d+)", table.read()).group(1))


def test_daemonise(lab):
    """Without -f the parent exits 0 once the socket listens and the pid file is right."""
    pid_file, log = lab.folder / "pid", lab.logs / "daemon.log"
    daemon = lab.daemon()
    daemon.start("--pid", pid_file, "--log-file", log, foreground=False, wait=False)
    equal(daemon.process.wait(30), 0, f"the parent's status; it said: {daemon.log()}")
    check(daemon.listening(), "the socket does not listen when the parent is gone")
    pid = int(pid_file.read_text())
    check(pid != daemon.process.pid, "the daemon is its own parent")
    equal(os.getsid(pid) != os.getsid(0), True, "the daemon has a session of its own")
    lab.guest.attach(daemon)
    lab.guest.configure()
    check_service(lab)
    os.kill(pid, signal.SIGTERM)
    # Everything without a parent here becomes this process's child.
    _, status = os.waitpid(pid, 0)
    equal(os.waitstatus_to_exitcode(status), 0, "the daemon's status")
    check(not daemon.socket.exists() and not pid_file.exists(), "files are left behind")


def test_daemonise_reports_errors(lab):
    """Without -f a failed start is still told by the parent's status and message."""
    taken = lab.host.tcp_listen("0.0.0.0", 2222)
    output = lab.daemon().fails_to_start("-t", "2222", foreground=False)
    contains(output, "2222")
    taken.close()


def test_pid_file_replaced(lab):
    """A pid file that exists, as QEMU makes it, is written to."""
    pid_file = lab.folder / "pid"
    pid_file.write_text("something long and old\n" * 3)
    daemon = lab.daemon().start("--pid", pid_file)
    # It is written last of all, behind what start() waits for.
    eventually(lambda: pid_file.read_text() == f"{daemon.process.pid}\n", 10,
               "the pid file has the pid alone")


def test_closed_descriptors(lab):
    """A start with descriptors 0, 1 and 2 closed works."""
    daemon = lab.daemon()
    daemon.start("--log-file", lab.logs / "daemon.log",
                 wrapper=["sh", "-c", 'exec "$@" <&- >&- 2>&-', "closed"])
    with Link(daemon) as link:
        link.alive()


def test_log_file(lab):
    """--log-file gets the log, and only its owner may read it."""
    log = lab.folder / "daemon.log"
    daemon = lab.daemon().start("--log-file", log, "--debug")
    with Link(daemon) as link:
        link.alive()
    daemon.stop()
    check(log.read_text(), "the log is empty")
    equal(stat.S_IMODE(log.stat().st_mode) & 0o077, 0, "permissions of others")


def test_quiet(lab):
    """--quiet says nothing when all goes well."""
    daemon = lab.daemon().start("--quiet")
    with Link(daemon) as link:
        link.alive()
    daemon.stop()
    equal(daemon.log(), "", "the log")


def test_notify_ready(lab):
    """A service manager is told when the daemon is ready."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        path = lab.folder / "notify"
        manager.bind(str(path))
        manager.settimeout(30)
        path.chmod(0o777)
        daemon = lab.daemon().start(wrapper=["env", f"NOTIFY_SOCKET={path}"])
        contains(manager.recv(4096).decode(), "READY=1", "the notification")
        check(daemon.listening(), "it was ready before it listened")


# The socket.

def test_stale_socket(lab):
    """A socket that nobody serves any more is replaced."""
    daemon = lab.daemon()
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(daemon.socket))
    daemon.start()
    with Link(daemon) as link:
        link.alive()


def test_live_socket(lab):
    """A socket that another daemon serves is refused, and that daemon goes on."""
    first = lab.daemon().start()
    second = lab.daemon()
    second.socket = first.socket
    contains(second.fails_to_start(), str(first.socket))
    with Link(first) as link:
        link.alive()


def test_file_in_the_way(lab):
    """A file that is no socket is not removed."""
    daemon = lab.daemon()
    daemon.socket.write_text("precious")
    contains(daemon.fails_to_start(), str(daemon.socket))
    equal(daemon.socket.read_text(), "precious", "the file")


def test_one_off(lab):
    """With --one-off the daemon ends with status 0 when its client leaves."""
    daemon = lab.start("--one-off")
    check_service(lab)
    lab.guest.detach()
    daemon.wait_exit(0)
    check(not daemon.socket.exists(), "the socket is still there")


def test_fd(lab):
    """With --fd the link is a connected socket, and its end the daemon's."""
    ours, theirs = socket.socketpair()
    daemon = lab.daemon().start("--fd", theirs.fileno(), sockets=False,
                                pass_fds=(theirs.fileno(),))
    theirs.close()
    lab.guest.attach(daemon, fd=ours.fileno())
    ours.close()
    lab.guest.configure()
    check_service(lab)
    lab.guest.detach()
    daemon.wait_exit(0)


def test_link_ends_last(lab):
    """Who sees the link end finds ports and pid file free: QEMU starts the next daemon then."""
    pid_file = lab.folder / "pid"
    ours, theirs = socket.socketpair()
    daemon = lab.daemon().start("--fd", theirs.fileno(), "--pid", pid_file, "-t", "10000-11999",
                                sockets=False, pass_fds=(theirs.fileno(),))
    theirs.close()
    lab.host.wait_listening(11999)
    eventually(lambda: pid_file.exists() and pid_file.read_text(), 10, "the pid file is written")
    daemon.process.terminate()
    while ours.recv(1 << 16):
        pass
    check(not pid_file.exists(), "the pid file is still there")
    lab.host.tcp_listen("0.0.0.0", 10000).close()
    lab.host.tcp_listen("0.0.0.0", 11999).close()
    daemon.wait_exit(0)


def test_reconnect(lab):
    """A guest that connects again is served again."""
    daemon = lab.start()
    for _ in range(3):
        check_service(lab)
        lab.guest.detach()
        eventually(lambda: "eth0" not in lab.guest.run("ip", "-br", "link"), 10, "eth0 is gone")
        lab.guest.attach(daemon)
        lab.guest.configure()
    check_service(lab)


def test_restart_under_a_guest(lab):
    """A guest whose link comes back to a new daemon goes on, its old connections reset."""
    daemon = lab.daemon().start()
    lab.guest.attach(daemon, "-r")
    lab.guest.configure()
    server = TcpServer(lab, lab.server.tcp_listen(), echo)
    sock = lab.guest.tcp_connect(SERVER_ADDR, server.port, timeout=20)
    daemon.stop()
    daemon.start()
    lab.guest.wait_connected()
    with contextlib.suppress(ConnectionResetError), within(15, "the end of the old connection"):
        sock.sendall(b"still there?")
        equal(sock.recv(100), b"", "data of the old connection")
    check_service(lab)


# Places and times.

def test_unprivileged(lab):
    """An ordinary user runs it: TCP and ping work."""
    with open("/proc/self/uid_map") as uid_map:
        if int(uid_map.read().split()[2]) == 1:
            raise Skip("a second user needs a namespace with more than one")
    daemon = lab.daemon().start(wrapper=["setpriv", "--reuid=65534", "--regid=65534",
                                         "--clear-groups"])
    lab.guest.attach(daemon)
    lab.guest.configure()
    check_service(lab)
    server = TcpServer(lab, lab.server.tcp_listen(), echo)
    with lab.guest.tcp_connect(SERVER_ADDR, server.port) as sock:
        sock.sendall(b"hello")
        equal(receive_all(sock, 5), b"hello", "the echo")


def test_host_without_network(lab):
    """Without an address on the host the daemon starts, with the private addresses."""
    lab.host.ip("link del uplink")
    server = TcpServer(lab, lab.host.tcp_listen("127.0.0.1"), echo)
    daemon = lab.daemon().start()
    lab.guest.addr, lab.guest.gateway = "10.0.2.15", "10.0.2.2"
    lab.guest.attach(daemon)
    lab.guest.configure()
    with lab.guest.tcp_connect("10.0.2.2", server.port) as sock:
        sock.sendall(b"hello")
        equal(receive_all(sock, 5), b"hello", "the echo")


def test_host_route_lost_and_found(lab):
    """While the host has no route, connects fail at once; when it is back, they work."""
    lab.start()
    server = TcpServer(lab, lab.server.tcp_listen(), echo)
    lab.host.ip("route del default")
    with within(3, "the failure"):
        try:
            lab.guest.tcp_connect(SERVER_ADDR, server.port).close()
            raise AssertionError("a connection without a route")
        except OSError:
            pass
    lab.host.ip(f"route add default via {ROUTER_ADDR}")
    with lab.guest.tcp_connect(SERVER_ADDR, server.port) as sock:
        sock.sendall(b"hello")
        equal(receive_all(sock, 5), b"hello", "the echo")


def switches(pid):
    """How often the process has gone to sleep."""
    with open(f"/proc/{pid}/status") as status:
        return int(re.search(r"voluntary_ctxt_switches:\s+(\d+)", status.read()).group(1))


def test_idle(lab):
    """With a guest and open connections but no traffic, the daemon sleeps."""
    lab.guest.sysctl("ipv6/conf/all/disable_ipv6", 1)
    lab.guest.sysctl("ipv6/conf/default/disable_ipv6", 1)
    daemon = lab.start("-t", "2222:22")
    server = TcpServer(lab, lab.server.tcp_listen(), echo)
    socks = [lab.guest.tcp_connect(SERVER_ADDR, server.port) for _ in range(10)]
    for sock in socks:
        sock.sendall(b"x")
        equal(sock.recv(1), b"x", "the echo")

    last = [(-1, -1.0)]

    def quiet():
        now = (switches(daemon.process.pid), daemon.cpu_seconds())
        same = now[0] - last[0][0] <= 2 and now[1] - last[0][1] < 0.02
        last[0] = now
        return same
    eventually(quiet, 20, "the daemon sleeps for a second", interval=1)


def test_client_right_after_another(lab):
    """A client that comes the moment the one before has gone is no second one."""
    daemon = lab.daemon().start()
    link = Link(daemon)
    for _ in range(5):
        link.alive()
        daemon.process.send_signal(signal.SIGSTOP)
        eventually(lambda: stopped(daemon.process.pid), 5, "the daemon is stopped")
        link.sock.close()
        link = Link(daemon)
        daemon.process.send_signal(signal.SIGCONT)
    link.alive()
    link.sock.close()


def test_stopped_and_continued(lab):
    """A daemon that was stopped for a while goes on where it was."""
    daemon = lab.start()
    server = TcpServer(lab, lab.server.tcp_listen(), echo)
    sock = lab.guest.tcp_connect(SERVER_ADDR, server.port, timeout=30)
    daemon.process.send_signal(signal.SIGSTOP)
    sock.sendall(b"x" * 100000)
    ping = lab.guest.spawn("ping", "-n", "-c3", "-i0.2", "-W10", SERVER_ADDR, log="ping.log")
    eventually(lambda: stopped(daemon.process.pid), 5, "the daemon is stopped")
    daemon.process.send_signal(signal.SIGCONT)
    equal(len(receive_all(sock, 100000)), 100000, "bytes echoed")
    equal(ping.wait(30), 0, "status of ping")


def stopped(pid):
    with open(f"/proc/{pid}/stat") as status:
        return status.read().rsplit(")", 1)[1].split()[0] == "T"
