"""The AppArmor profile beside what the daemon really does."""

import os
import pathlib
import re
import shutil
import signal

from lab.apparmor import FOLDER, Profile
from lab.checks import Skip, check, equal, eventually
from lab.daemon import plain_program
from lab.frames import Link
from lab.node import need

TEMPLATE = pathlib.Path(__file__).resolve().parents[2] / "contrib/apparmor/usr.bin.postern.in"
CALLS = "%file,%desc,%net,%creds,prctl,unshare,mount,umount2,pivot_root,mount_setattr,move_mount"
FLAGS = {"MS_NOSUID": "nosuid", "MS_NODEV": "nodev", "MS_NOEXEC": "noexec", "MS_BIND": "bind"}
FAMILIES = {"AF_INET": "inet", "AF_INET6": "inet6", "AF_NETLINK": "netlink", "AF_UNIX": "unix"}
TYPES = {"SOCK_STREAM": "stream", "SOCK_DGRAM": "dgram", "SOCK_RAW": "raw"}
CAPABILITIES = (
    (r"bind\(.*AF_INET6?, sin6?_port=htons\((?!0\))\d{1,3}\)", "net_bind_service"),
    (r"setsockopt\(.*SO_(RCV|SND)BUFFORCE.* = 0", "net_admin"),
    (r"(unshare\(CLONE_NEWNS|mount\(|pivot_root|umount2)", "sys_admin"),
    (r"prctl\(PR_CAPBSET_DROP", "setpcap"),
    (r"set(res|re)?uid\(", "setuid"),
    (r"set(res|re)?gid\(|setgroups\(", "setgid"),
)


def profile():
    if not FOLDER.exists():
        raise Skip("there is no AppArmor")
    text = TEMPLATE.read_text()
    return Profile(text.replace("@bindir@", os.environ["PLAINDIR"]).replace("@libexecdir@", "/usr/libexec"))


def whole_calls(text):
    """The calls that strace shows; one that another process's came in between of is put together."""
    begun = {}
    for line in text.splitlines():
        pid, call = re.match(r"(?:(\d+) +)?(.*)", line).groups()  # the first line begins with its call
        if call.endswith("<unfinished ...>"):
            begun[pid] = call.removesuffix("<unfinished ...>").rstrip()
            continue
        resumed = re.match(r"<\.\.\. \w+ resumed>(.*)", call)
        yield begun.pop(pid, "") + resumed[1] if resumed else call


class Trace:
    """Calls of one run, and what of them the profile does not allow."""

    def __init__(self, text, allowed):
        self.allowed, self.refused, self.seen = allowed, [], set()
        for call in whole_calls(text):
            if not call.startswith(("+++", "---")) and "= -1 E" not in call:
                self._judge(call)

    def _need(self, kind, call, allowed):
        self.seen.add(kind)
        if not allowed:
            self.refused.append(call)

    def _file(self, call, perms):
        """Judges a call whose path stands behind a folder's descriptor, or alone."""
        found = re.match(r'\w+\((?:(?:AT_FDCWD|\d+)(?:<(.*?)>(?:\(deleted\))?)?, )?"([^"]*)"', call)
        check(found, f"what is {call}?")
        folder, name = found.groups()
        path = os.path.normpath(name if name.startswith("/") else f"{(folder or '').rstrip('/')}/{name}")
        self._need("file", call, self.allowed.allows_file(path, perms))

    def _judge(self, call):
        name = call.split("(")[0]
        judge = getattr(self, "on_" + name, None)
        if judge:
            judge(call)
        for pattern, capability in CAPABILITIES:
            if re.match(pattern, call):
                self._need(capability, call, self.allowed.allows("capability " + capability))

    def on_openat(self, call):
        if "O_PATH" not in call:
            perms = "w" if "O_WRONLY" in call else "rw" if "O_RDWR" in call else "r"
            opened = re.search(r" = \d+<(.*)>$", call)[1] + "/" * ("O_DIRECTORY" in call)  # behind links
            self._need("file", call, self.allowed.allows_file(opened, perms))

    def on_inotify_add_watch(self, call):
        path = re.search(r'"([^"]*)"', call)[1]
        self._need("watch", call, self.allowed.allows_file(path + "/" * os.path.isdir(path), "r"))

    def on_unlinkat(self, call):
        self._file(call, "w")

    def on_mkdir(self, call):
        path = "/" + re.search(r'"([^"]*)"', call)[1] + "/"
        self._need("folder", call, self.allowed.allows_file(path, "w"))

    def on_bind(self, call):
        if found := re.search(r'sun_path="([^"]*)"', call):
            self._need("socket", call, self.allowed.allows_file(found[1], "w"))

    on_connect = on_sendto = on_bind

    def on_socket(self, call):
        family, kind = re.match(r"socket\((\w+), (\w+)", call).groups()
        rule = f"network {FAMILIES[family]} {TYPES[kind]}"
        self._need(rule, call, self.allowed.allows(rule))

    def on_mount(self, call):
        flags = re.search(r", (MS_[\w|]+)", call)[1].split("|")
        kind = "remount" if "MS_REMOUNT" in flags else "mount"
        options = {FLAGS[flag] for flag in flags if flag in FLAGS}
        options.add("ro" if "MS_RDONLY" in flags else "rw")
        if "MS_PRIVATE" in flags:
            options.add("rprivate" if "MS_REC" in flags else "private")
        fstype = "tmpfs" if '"tmpfs", "/"' in call else None
        self._need("mount", call, self.allowed.allows_mount(kind, fstype, options))

    def on_move_mount(self, call):
        self._need("move_mount", call, self.allowed.allows_mount("mount", None, None))

    def on_umount2(self, call):
        self._need("umount", call, self.allowed.allows_mount("umount", None, None))

    def on_pivot_root(self, call):
        self._need("pivot_root", call, self.allowed.allows("pivot_root oldroot=/ /"))


def run_traced(lab, *args, wrapper=()):
    """What a daemon in the background does, from its start to its end."""
    need("strace")
    folder = pathlib.Path("/run/postern")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    folder.chmod(0o777)
    trace, pid_file, link = folder / "trace", folder / "pid", folder / "sock"
    strace = lab.host.spawn("strace", "-f", "-y", "-s", "400", "-o", trace,
                            "-e", f"trace={CALLS}",
                            *wrapper, plain_program("postern"), "--sandbox=strict", "-P", pid_file, "-s", link,
                            "--control", folder / "ctl", *args)
    pid = int(eventually(lambda: pid_file.exists() and pid_file.read_text(), 20, "the daemon is ready"))
    with Link(type("Daemon", (), {"socket": link})) as guest:
        guest.alive()
    os.kill(pid, signal.SIGTERM)
    strace.wait(20)
    text = trace.read_text()
    return text[text.index(f'execve("{plain_program("postern")}"'):]


def check_allowed(text, expected):
    trace = Trace(text, profile())
    equal(trace.refused, [], "what the profile does not allow")
    check(expected <= trace.seen, f"only {sorted(trace.seen)} was seen")


COMMON = {"file", "watch", "folder", "socket", "mount", "move_mount", "umount", "pivot_root", "sys_admin",
          "network netlink raw", "network unix stream", "network unix dgram"}


def test_apparmor_of_root(lab):
    """All that a start as root does is in the AppArmor profile."""
    check_allowed(run_traced(lab, "-t", "443:22", "-u", "5353:53", "-l", "/run/postern/log"),
                  COMMON | {"net_bind_service", "setpcap", "network inet6 stream", "network inet6 dgram"})


def test_apparmor_of_a_user(lab):
    """So is all that a start by an ordinary user does, with the system log."""
    with open("/proc/self/uid_map") as uid_map:
        if int(uid_map.read().split()[2]) == 1:
            raise Skip("a second user needs a namespace with more than one")
    text = run_traced(lab, wrapper=["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"])
    check("uid_map" in text, "no user namespace was made")
    check_allowed(text, COMMON)


def test_apparmor_refuses(lab):
    """The profile allows neither programs, nor keys, nor files of the system."""
    allowed = profile()
    for path, perms in (("/usr/bin/true", "x"), ("/etc/shadow", "r"), ("/etc/cron.d/x", "w"),
                        ("/home/user/.ssh/id_ed25519", "r"), ("/usr/bin/postern", "w"),
                        ("/run/dbus/system_bus_socket", "w"), ("/proc/1/mem", "r")):
        check(not allowed.allows_file(path, perms), f"{perms} of {path} is allowed")
    for rule in "capability", "capability net_raw", "network", "network packet raw", "ptrace":
        check(not allowed.allows(rule), f"{rule} is allowed")
