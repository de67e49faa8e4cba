"""A QEMU guest of the kernel and initramfs made by `fetch`, and a shell in it for the host.

The shell runs on the guest's serial console, which is QEMU's standard input and output.
"""

import json
import os
import pathlib
import re
import secrets
import select
import subprocess
import termios
import time
import tty

DEBROOT = pathlib.Path(__file__).resolve().parents[2] / "scripts/lib/debroot"
TCG = ["-accel", "tcg,thread=multi", "-cpu", "max"]
KVM = ["-accel", "kvm", "-cpu", "host"]
BOOT_DEADLINE = 180     # seconds; an emulated CPU takes about 10 when it has the host's to itself
PROBE_DEADLINE = 20
MAC = "52:54:00:12:34:56"
LEAVE = b"\x1d"         # Ctrl-]
INSTALLED = ["qemu-system-x86_64"]


class GuestError(Exception):
    """The guest ended, or did not answer in time."""


def newest(folder):
    """The command of the QEMU that fetch-qemu has unpacked into the folder."""
    folder = pathlib.Path(folder)
    return ["env", f"QEMU_MODULE_DIR={folder}/usr/lib/x86_64-linux-gnu/qemu",
            str(DEBROOT), "-x", str(folder), "usr/bin/qemu-system-x86_64",
            "-L", f"{folder}/usr/share/qemu", "-L", f"{folder}/usr/share/seabios"]


def stream(path, **properties):
    """The backend that joins a guest to the UNIX socket at `path`."""
    return {"type": "stream", "server": False, "addr": {"type": "unix", "path": str(path)},
            **properties}


class Guest:
    """A running QEMU, and the guest in it."""

    def __init__(self, image, netdev=None, accel=TCG, log=None, qemu=INSTALLED, options=(),
                 start=subprocess.Popen, **kwargs):
        """Starts QEMU; `image` is the folder that fetch filled, `netdev` has the properties of
        the backend of the guest's network interface, `log` is a binary file for all that its
        console says, `qemu` the command that `options` are added to, and `start` runs a command
        line as subprocess.Popen does; kwargs are for that."""
        image = pathlib.Path(image)
        command = [*qemu, *accel, "-nodefaults", "-no-user-config", "-no-reboot",
                   "-vga", "none", "-display", "none", "-m", "256", "-smp", "2",
                   "-kernel", str(image / "vmlinuz"), "-initrd", str(image / "initramfs"),
                   "-append", "console=ttyS0 quiet panic=-1", "-serial", "stdio", *options]
        if netdev:
            command += ["-netdev", json.dumps(netdev | {"id": "net0"}), "-device",
                        f"virtio-net-pci,id=nic0,netdev=net0,mac={MAC},romfile="]
        self.log = log
        self.unread = b""
        self.commands = 0
        self.nonce = secrets.token_hex(4)
        kwargs.setdefault("stderr", subprocess.STDOUT)
        self.process = start(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0,
                             **kwargs)

    def close(self):
        self.process.kill()
        self.process.wait()

    def read_some(self, seconds):
        """Adds what the console says to self.unread; returns it."""
        output = self.process.stdout.fileno()
        if not select.select([output], [], [], max(seconds, 0))[0]:
            raise GuestError(f"silent; the console's end: {self.unread[-200:]!r}")
        data = os.read(output, 65536)
        if not data:
            raise GuestError(f"QEMU ended: {self.unread[-500:].decode(errors='replace').strip()}")
        if self.log:
            self.log.write(data)
            self.log.flush()
        self.unread += data
        return data

    def run(self, command, seconds=60):
        """Runs a command line in the guest's shell; returns its exit status and what it said."""
        # The end of a command that took too long must not pass for that of a later one.
        self.commands += 1
        mark = f"{self.nonce}-{self.commands}"
        self.process.stdin.write(f"{mark} {command}\n".encode())
        deadline = time.monotonic() + seconds
        while not (end := re.search(rb"<%s (\d+)>\n" % mark.encode(), self.unread)):
            try:
                self.read_some(deadline - time.monotonic())
            except GuestError as error:
                raise GuestError(f"`{command}`: {error}") from None
        output, self.unread = self.unread[:end.start()], self.unread[end.end():]
        return int(end[1]), output.decode(errors="replace")

    def must(self, command, seconds=60):
        """What a command said that must succeed in the guest."""
        status, output = self.run(command, seconds)
        if status:
            raise GuestError(f"`{command}` ended with {status}: {output}")
        return output

    def lease(self):
        """Asks for a lease by DHCP and configures the interface; returns what was leased, as a
        text of words NAME=VALUE."""
        said = self.must("udhcpc -i eth0 -O mtu -O search -f -q -n -t 5 -T 2 -s /etc/udhcpc")
        lease = re.search(r"^lease (.*)", said, re.M)
        if not lease:
            raise GuestError(f"no lease: {said}")
        return lease[1]

    def boot(self, seconds=BOOT_DEADLINE):
        """Waits for the shell; returns the version of the guest's kernel."""
        deadline = time.monotonic() + seconds
        while b"the guest is up" not in self.unread:
            self.read_some(deadline - time.monotonic())
        self.unread = b""
        return self.run("dmesg -n 1; uname -r", deadline - time.monotonic())[1].strip()

    def interact(self, terminal=0):
        """Joins a terminal to the guest's shell until that ends or Ctrl-] is pressed."""
        columns, rows = os.get_terminal_size(terminal)
        console = self.process.stdout.fileno()
        shell = (f"stty sane; stty rows {rows or 25} cols {columns or 80}; export PS1='guest# '; "
                 "setsid cttyhack sh; poweroff -f")
        self.process.stdin.write(f"- {{ {shell}; }} </dev/ttyS0\n".encode())
        before = termios.tcgetattr(terminal)
        tty.setraw(terminal)
        try:
            while True:
                ready = select.select([terminal, console], [], [])[0]
                source = console if console in ready else terminal
                data = os.read(source, 4096)
                if not data or (source == terminal and LEAVE in data):
                    break
                if source == terminal:
                    self.process.stdin.write(data)
                else:
                    os.write(1, data)
        finally:
            termios.tcsetattr(terminal, termios.TCSADRAIN, before)


def kvm_refusal(image):
    """Why KVM is of no use here, None if a guest boots with it.

    An open /dev/kvm promises nothing: in some virtual machines the guest then hangs."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "/dev/kvm cannot be opened"
    guest = Guest(image, accel=KVM)
    try:
        guest.boot(PROBE_DEADLINE)
    except GuestError as error:
        return f"a guest with KVM did not boot in {PROBE_DEADLINE} s: {error}"
    finally:
        guest.close()
    return None
