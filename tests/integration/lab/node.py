"""A node of the lab: a network namespace with an /etc of its own, and processes in it."""

import os
import shutil
import socket
import subprocess

import netns
from lab.checks import Skip, check, eventually

# The node's folder stands in for /etc in a mount namespace of each command, so that the
# node has its own resolv.conf and a client that replaces the file replaces only that. Any
# /sys of the node shows the node's interfaces, for programs that look there.
VIEW = 'mount --bind "$1" /etc && { mount -t sysfs sysfs /sys 2>/dev/null || :; } && shift && exec "$@"'

SO_RCVBUFFORCE = 33  # asm-generic/socket.h; the socket module lacks it


class CommandFailed(AssertionError):
    """A command ended with a status that the test did not expect."""


class Node:
    """A network namespace, with helpers that run commands and open sockets in it."""

    def __init__(self, name, folder):
        self.name = name
        self.space = netns.create()
        self.folder = folder / name
        self.folder.mkdir()
        self.etc = self.folder / "etc"
        self.processes = []
        self._copy_etc()

    def _copy_etc(self):
        self.etc.mkdir(mode=0o755)
        # Without privileges some files cannot be read, and none that matters here is one of them.
        subprocess.run(["cp", "-a", "--no-preserve=ownership", "/etc/.", str(self.etc)],
                       stderr=subprocess.DEVNULL, check=False)
        for name in ("resolv.conf", "hosts", "hostname"):
            (self.etc / name).unlink(missing_ok=True)
        (self.etc / "hosts").write_text("127.0.0.1 localhost\n")

    def command(self, *argv):
        """The command line that runs argv on the node."""
        view = ["unshare", "--mount", "--propagation", "unchanged", "--",
                "sh", "-c", VIEW, "view", str(self.etc)]
        return self.space.command(*view, *map(str, argv))

    def spawn(self, *argv, log=None, **kwargs):
        """Starts argv in the background and returns its Popen; output goes to the file `log`."""
        need(argv[0])
        if log is not None:
            kwargs.setdefault("stdout", open(self.folder / log, "ab"))
            kwargs.setdefault("stderr", subprocess.STDOUT)
        kwargs.setdefault("stdin", subprocess.DEVNULL)
        process = subprocess.Popen(self.command(*argv), **kwargs)
        self.processes.append(process)
        return process

    def run(self, *argv, status=0, timeout=30, stdin=""):
        """Runs argv to its end and returns what it printed, standard error included.

        A status other than `status` fails the test; None takes any."""
        return self.run_status(*argv, status=status, timeout=timeout, stdin=stdin)[1]

    def run_status(self, *argv, status=None, timeout=30, stdin=""):
        """As run(), and returns (status, output)."""
        need(argv[0])
        shown = f"{self.name}: {' '.join(map(str, argv))}"
        try:
            done = subprocess.run(self.command(*argv), input=stdin, text=True, errors="replace",
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  timeout=timeout)
        except subprocess.TimeoutExpired:
            raise CommandFailed(f"{shown}: not done after {timeout} s") from None
        if status is not None and done.returncode != status:
            raise CommandFailed(f"{shown}: status {done.returncode}: "
                                f"{done.stdout.strip()[-600:]}")
        return done.returncode, done.stdout

    def ip(self, *commands):
        """Runs ip(8) commands, one a string."""
        self.run("ip", "-batch", "-", stdin="\n".join(commands) + "\n")

    def sysctl(self, name, value):
        """Sets a sysctl under /proc/sys/net, as "ipv4/ip_forward"."""
        self.space.sysctl(name, value)

    def resolv_conf(self, text):
        """Replaces resolv.conf as its writers do: a new file renamed over the old one."""
        fresh = self.etc / "resolv.conf.new"
        fresh.write_text(text)
        fresh.rename(self.etc / "resolv.conf")

    # Sockets of the test itself, on this node.

    def socket(self, kind=socket.SOCK_STREAM, timeout=10, family=socket.AF_INET, proto=0):
        with self.space.entered():
            sock = socket.socket(family, kind, proto)
        sock.settimeout(timeout)
        return sock

    def tcp_connect(self, addr, port, timeout=10, source=None):
        """A TCP connection from this node to addr:port."""
        sock = self.socket(timeout=timeout, family=family_of(addr))
        try:
            if source:
                sock.bind(source)
            sock.connect((addr, port))
        except BaseException:
            sock.close()
            raise
        return sock

    def tcp_listen(self, addr="0.0.0.0", port=0, timeout=10, backlog=128):
        """A listening TCP socket on this node."""
        sock = self.socket(timeout=timeout, family=family_of(addr))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((addr, port))
        sock.listen(backlog)
        return sock

    def udp_socket(self, addr="0.0.0.0", port=0, timeout=10, buffer=None):
        """A bound UDP socket on this node, with `buffer` bytes to receive if it may have them."""
        sock = self.socket(socket.SOCK_DGRAM, timeout=timeout, family=family_of(addr))
        if buffer:
            try:
                sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, buffer)
            except PermissionError:  # no root outside the user namespace
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        sock.bind((addr, port))
        return sock

    def wait_listening(self, port, proto="tcp", timeout=10):
        """Waits until something listens on the port."""
        flag = "-ltnH" if proto == "tcp" else "-lunH"
        eventually(lambda: self.run("ss", flag, f"sport = :{port}").strip(), timeout,
                   f"{self.name} listens on {proto} port {port}")


def family_of(addr):
    return socket.AF_INET6 if ":" in addr else socket.AF_INET


def need(*programs):
    """Skips the test when a program of the system is not installed; one of the tree must exist."""
    for program in map(os.fspath, programs):
        if "/" in program:
            check(os.access(program, os.X_OK), f"{program} has not been built")
        elif not shutil.which(program):
            raise Skip(f"{program} is not installed")
