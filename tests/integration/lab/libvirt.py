"""libvirt of another Debian suite, in a root of its own that ends with the test.

`tests/guest/fetch-libvirt` unpacks it, with its QEMU and all libraries. That folder, below an
overlay, is the root of all that runs here. Its devices are its own: without KVM, which would be
tried in vain at each start of a guest. There is neither systemd nor D-Bus. The network is that of
the lab's host, and `passt` on libvirtd's PATH is a link to postern.
"""

import os
import pathlib
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import types

from lab.checks import Skip, check, eventually
from lab.daemon import plain_program
from lab.lab import DNS_ADDR, SEARCH

TOP = pathlib.Path(__file__).resolve().parents[3]
IMAGE = TOP / "build/guest"
sys.path.append(str(TOP / "tests/guest"))
import qemu  # noqa: E402

PATH = "/opt/postern:/usr/sbin:/usr/bin:/sbin:/bin"
# What the package base-files would bring, on which no other depends.
LINKS = {name: f"usr/{name}" for name in ("bin", "lib", "lib64", "sbin")} | {"var/run": "/run"}
MOUNTS = {
    "dev": ["-t", "tmpfs", "-o", "mode=755", "tmpfs"],
    "dev/pts": ["-t", "devpts", "-o", "newinstance,ptmxmode=666", "devpts"],
    "dev/shm": ["-t", "tmpfs", "-o", "mode=1777", "tmpfs"],
    "run": ["-t", "tmpfs", "-o", "mode=755", "tmpfs"],
    "tmp": ["-t", "tmpfs", "-o", "mode=1777", "tmpfs"],
}
DEVICES = "null", "zero", "full", "random", "urandom", "tty"
QEMU_USER, SESSION_USER = ("libvirt-qemu", 64055), ("user", 1000)
DEADLINE = 120   # seconds, for what takes one on a machine that does nothing else

# Enters the root, which is the working directory. $CGROUP becomes the root of all control groups
# that libvirt sees; libvirtd is below it, since version 2 wants no process where groups are made.
ENTER = r"""
type=$(stat --file-system --format %T "$CGROUP")
echo 0 >"$CGROUP/cgroup.procs"
exec unshare --mount --cgroup sh -euc '
	mount -t sysfs sysfs sys
	groups=sys/fs/cgroup
	if [ "$1" = cgroupfs ]; then
		mount -t tmpfs cgroup $groups
		groups=$groups/cpu
		mkdir $groups
		mount -t cgroup -o cpu cgroup $groups
	else
		mount -t cgroup2 cgroup2 $groups
	fi
	mkdir $groups/daemons
	echo 0 >$groups/daemons/cgroup.procs
	unset CGROUP
	shift
	mount --move . /
	exec chroot "$@"' enter "$type" "$@"
"""

DOMAIN = """
<domain type='qemu'>
  <name>guest</name>
  <memory unit='MiB'>256</memory>
  <vcpu>2</vcpu>
  <os>
    <type arch='x86_64' machine='pc'>hvm</type>
    <kernel>/srv/vmlinuz</kernel>
    <initrd>/srv/initramfs</initrd>
    <cmdline>console=ttyS0 quiet panic=-1</cmdline>
  </os>
  <features><acpi/></features>
  <cpu mode='maximum'/>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <serial type='unix'><source mode='bind' path='/tmp/console'/></serial>
    <controller type='usb' model='none'/>
    <memballoon model='none'/>
    {interfaces}
  </devices>
</domain>
"""


def interface(inside="", backend="", mac=qemu.MAC):
    """An <interface> with what `inside` says; `backend` is the attributes of its <backend>."""
    return (f"<interface type='user'><backend type='passt' {backend}/><mac address='{mac}'/>"
            f"{inside}<model type='virtio'/><rom enabled='no'/></interface>")


def mount(*arguments, **kwargs):
    subprocess.run(["mount", *map(str, arguments)], check=True, **kwargs)


def fill_root(lower, folder, logs):
    """Makes a root below `folder` of the packages in the folder `lower`; returns its path."""
    root = folder / "root"
    for path in root, folder / "upper", folder / "work":
        path.mkdir()
    mount("-t", "overlay", "overlay", "-o",
          f"lowerdir=.,upperdir={folder}/upper,workdir={folder}/work", root, cwd=lower)
    for name, target in LINKS.items():
        if not (root / name).exists():
            (root / name).symlink_to(target)
    for name, options in MOUNTS.items():
        (root / name).mkdir(exist_ok=True)
        mount(*options, root / name)
    for name in DEVICES:
        (root / "dev" / name).touch()
        mount("--bind", f"/dev/{name}", root / "dev" / name)
    (root / "dev/ptmx").symlink_to("pts/ptmx")
    for name, source in ("proc", "/proc"), ("srv", IMAGE), ("var/log/libvirt", logs):
        (root / name).mkdir(parents=True, exist_ok=True)
        mount("--bind", source, root / name)
    (root / "sys").mkdir(exist_ok=True)
    return root


def fill_etc(etc):
    users = ("root", 0), ("nobody", 65534), QEMU_USER, SESSION_USER
    (etc / "passwd").write_text("".join(f"{name}:x:{uid}:{uid}::/home/{name}:/bin/false\n"
                                        for name, uid in users))
    (etc / "group").write_text("".join(f"{name}:x:{uid}:\n" for name, uid in users))
    (etc / "nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files dns\n")
    (etc / "resolv.conf").write_text(f"nameserver {DNS_ADDR}\nsearch {SEARCH}\n")
    # libvirt asks for the host's name at each start of a guest, and waits for an answer
    (etc / "hosts").write_text(f"127.0.0.1 localhost {socket.gethostname()}\n")
    (etc / "machine-id").write_text("0123456789abcdef0123456789abcdef\n")


def configure(folder, user):
    """The settings of a libvirtd that runs as `user`, in /etc/libvirt or what stands for it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "libvirtd.conf").write_text('auth_unix_ro = "none"\nauth_unix_rw = "none"\n')
    settings = ['security_driver = "none"', 'stdio_handler = "file"']
    if not user:
        settings += [f'user = "{QEMU_USER[0]}"', f'group = "{QEMU_USER[0]}"',
                     "dynamic_ownership = 0", "namespaces = []"]
    (folder / "qemu.conf").write_text("\n".join(settings) + "\n")


class Libvirt:
    """A running libvirtd: the system's, or one of SESSION_USER's."""

    def __init__(self, lab, suite, session=False):
        if not (IMAGE / "initramfs").exists():
            raise Skip(f"no kernel for a guest: tests/guest/fetch has not filled {IMAGE}")
        lower = TOP / "build/libvirt" / suite
        check((lower / "packages").exists(), f"there is no libvirt in {lower}: `tests/guest/"
              f"fetch-libvirt {suite} {lower}` has not been run, or could not fetch it")
        check("CGROUP" in os.environ, "no control group for this test could be made")
        self.lab, self.user = lab, SESSION_USER if session else None
        folder = lab.folder / "libvirt"
        folder.mkdir()
        self.root = fill_root(lower, folder, lab.logs)
        fill_etc(self.root / "etc")
        self._install()
        self.environment = {"PATH": PATH, "LC_ALL": "C"}
        self.state = self.root / "run/libvirt"
        if session:
            self._make_session()
        else:
            configure(self.root / "etc/libvirt", None)
        self.ended = lab.logs / "ended"
        self._start()

    def _install(self):
        programs = self.root / "opt/postern"
        programs.mkdir(parents=True)
        shutil.copy(plain_program("postern"), programs / "postern")
        (programs / "postern").chmod(0o755)
        (programs / "passt").symlink_to("postern")

    def _make_session(self):
        name, uid = self.user
        home, run = self.root / "home" / name, self.root / f"run/user/{uid}"
        for path in home, run:
            path.mkdir(parents=True)
        configure(home / ".config/libvirt", self.user)
        for folder in home, run:
            subprocess.run(["chown", "-R", f"{uid}:{uid}", folder], check=True)
        self.environment |= {"HOME": f"/home/{name}", "XDG_RUNTIME_DIR": f"/run/user/{uid}"}
        self.state = run / "libvirt"

    def _userspec(self):
        return [f"--userspec=+{self.user[1]}:+{self.user[1]}", "--groups="] if self.user else []

    def _start(self):
        environment = self.environment | {"CGROUP": os.environ["CGROUP"]}
        with open(self.lab.logs / "libvirtd.log", "w") as log:
            self.process = subprocess.Popen(
                [TOP / "tests/lib/orphanage", self.ended, *self.lab.host.space.command(
                    "sh", "-euc", ENTER, "enter", *self._userspec(), ".", "/usr/sbin/libvirtd")],
                cwd=self.root, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        eventually((self.state / "libvirt-sock").exists, DEADLINE, "libvirtd listens")

    # What libvirt is asked to do.

    def virsh(self, *arguments, status=0):
        """What virsh printed; a status other than `status` fails the test."""
        said = f"virsh {' '.join(arguments)}:"
        uri = "qemu:///session" if self.user else "qemu:///system"
        command = self.lab.host.space.command("chroot", *self._userspec(), self.root,
                                              "/usr/bin/virsh", "-q", "-c", uri, *arguments)
        try:
            done = subprocess.run(command, env=self.environment, stdin=subprocess.DEVNULL, text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=DEADLINE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{said} not done after {DEADLINE} s") from None
        said += f" status {done.returncode}: {done.stdout.strip()}"
        print(f"{time.monotonic():.2f} s: {said}")
        check(done.returncode == status, said)
        return done.stdout

    def file(self, name, text):
        """Leaves a text in the root; returns its path there."""
        (self.root / "tmp" / name).write_text(text)
        return f"/tmp/{name}"

    def create(self, *interfaces, status=0):
        """Starts the guest with these interfaces, but not its processors; returns what virsh said.

        There is one guest at a time, and its name is "guest"."""
        text = DOMAIN.format(interfaces="".join(interfaces))
        return self.virsh("create", "--paused", self.file("guest.xml", text), status=status)

    # What became of it.

    def daemons(self):
        """The process ids of the daemons that there are, with the arguments of each."""
        found = {}
        for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = path.read_bytes().decode().split("\0")[:-1]
            except OSError:  # it has ended
                continue
            if words[:1] == ["passt"]:
                found[int(path.parent.name)] = words[1:]
        return found

    def exit_status(self, pid):
        """The exit status of a daemon that ends now or has ended."""
        def find():
            return re.search(rf"^{pid} (-?\d+)$", self.ended.read_text(), re.M)
        return int(eventually(find, DEADLINE, f"process {pid} has ended")[1])

    def makes_groups(self):
        """Whether libvirt makes control groups: not where version 2 lends us no controllers."""
        return (pathlib.Path(os.environ["CGROUP"]) / "machine").exists()

    def folder(self):
        """Where the daemons' files are."""
        return self.state / ("qemu/run/passt" if self.user else "qemu/passt")

    def files(self):
        """Names of the daemons' files."""
        return sorted(path.name for path in self.folder().glob("*"))

    def pids_in_files(self):
        """The process ids that the daemons wrote down."""
        return {int(path.read_text() or 0) for path in self.folder().glob("*.pid")}


class Console(qemu.Guest):
    """The shell of the guest that libvirt started."""

    def __init__(self, libvirt):
        self.path = libvirt.root / "tmp/console"
        self.log = open(libvirt.lab.logs / "console.log", "ab")
        self.unread, self.commands, self.nonce = b"", 0, secrets.token_hex(4)
        self.connect()

    def connect(self):
        """Joins the console, of which QEMU forgets what no one reads."""
        link = socket.socket(socket.AF_UNIX)
        link.connect(str(self.path))
        stream = link.makefile("rwb", 0)
        self.process = types.SimpleNamespace(stdin=stream, stdout=stream)

    def must(self, command, seconds=DEADLINE):
        """What a command said that must succeed in the guest."""
        status, output = self.run(command, seconds)
        print(f"{time.monotonic():.2f} s: guest: {command}: status {status}")
        check(status == 0, f"`{command}` ended with {status}: {output}")
        return output
