"""Network namespaces and the wires between them, for tests run by `isolated`."""

import contextlib
import ctypes
import os
import subprocess

CLONE_NEWNET = 0x40000000
SELF = "/proc/thread-self/ns/net"
libc = ctypes.CDLL(None, use_errno=True)


def call(function, *arguments):
    if function(*arguments):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


class Namespace:
    """A network namespace, held by the descriptor `fd` for as long as this process lives."""

    def __init__(self, fd):
        self.fd = fd

    @property
    def path(self):
        return f"/proc/{os.getpid()}/fd/{self.fd}"

    @contextlib.contextmanager
    def entered(self):
        """The calling thread is in the namespace inside the block; sockets made there stay."""
        before = current()
        try:
            call(libc.setns, self.fd, CLONE_NEWNET)
            yield self
        finally:
            call(libc.setns, before.fd, CLONE_NEWNET)
            os.close(before.fd)

    def command(self, *argv):
        """The command line that runs argv in the namespace."""
        return ["nsenter", f"--net={self.path}", "--", *argv]

    def run(self, *argv):
        """Runs argv to its end; returns what it printed, raises RuntimeError with it."""
        done = subprocess.run(self.command(*argv), text=True, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode:
            raise RuntimeError(f"{' '.join(argv)}: {done.stdout.strip()}")
        return done.stdout

    def sysctl(self, name, value):
        """Sets a sysctl under /proc/sys/net, as "ipv4/ip_forward"."""
        with self.entered(), open(f"/proc/sys/net/{name}", "w") as setting:
            setting.write(str(value))

    def allow_ping_sockets(self):
        """Lets every group of this user namespace open ICMP echo sockets."""
        with open("/proc/self/gid_map") as gid_map:
            first, _, count = map(int, gid_map.readline().split())
        self.sysctl("ipv4/ping_group_range", f"{first} {min(first + count, 1 << 31) - 1}")


def current():
    """The namespace that the calling thread is in."""
    return Namespace(os.open(SELF, os.O_RDONLY | os.O_CLOEXEC))


def create():
    """A new namespace with its loopback up; the calling thread stays where it is."""
    here = current()
    with here.entered():
        call(libc.unshare, CLONE_NEWNET)
        new = current()
    os.close(here.fd)
    new.run("ip", "link", "set", "lo", "up")
    return new


def connect(one, one_name, one_address, other, other_name, other_address):
    """Joins two namespaces by a veth pair; the addresses carry their prefix length."""
    subprocess.run(["ip", "link", "add", one_name, "netns", one.path, "type", "veth",
                    "peer", "name", other_name, "netns", other.path], check=True)
    for space, name, address in ((one, one_name, one_address), (other, other_name, other_address)):
        space.run("ip", "address", "add", address, "dev", name)
        space.run("ip", "link", "set", name, "up")
