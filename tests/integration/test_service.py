"""The units for systemd: sound, tight, and wide enough for the sandbox that the daemon has itself.

systemd does not run here; its tools judge the units, and what they ask of the kernel is laid around
the daemon by the test."""

import os
import pathlib
import re
import shutil

from lab.checks import Skip, check, contains, equal
from lab.daemon import plain_program

CONTRIB = pathlib.Path(__file__).resolve().parents[2] / "contrib/systemd"
EXPOSURE_MAX = 19  # of 100: below 2.0, as systemd shows it
NOBODY = 65534
CLONE_FLAGS = {"mnt": 0x00020000, "cgroup": 0x02000000, "uts": 0x04000000, "ipc": 0x08000000,
               "user": 0x10000000, "pid": 0x20000000, "net": 0x40000000}

# Lets the daemon have only the system calls and namespaces named: CALLS FLAGS COMMAND...
CONFINE = """
import ctypes, os, sys
class Argument(ctypes.Structure):
    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]
lib = ctypes.CDLL("libseccomp.so.2")
lib.seccomp_init.restype = ctypes.c_void_p
ALLOW, EPERM, MASKED_EQ = 0x7fff0000, 0x00050001, 7
def load(default, rules):
    filter = ctypes.c_void_p(lib.seccomp_init(ctypes.c_uint32(default)))
    for action, call, arguments in rules:
        array = (Argument * len(arguments))(*arguments)
        assert lib.seccomp_rule_add_array(filter, ctypes.c_uint32(action), call, len(arguments), array) == 0
    assert lib.seccomp_load(filter) == 0
number = lambda name: lib.seccomp_syscall_resolve_name(name.encode())
calls = [n for n in map(number, sys.argv[1].split(",")) if n >= 0]
load(ALLOW, [(EPERM, number("unshare"), [(0, MASKED_EQ, flag, flag)]) for flag in map(int, sys.argv[2].split(","))])
load(EPERM, [(ALLOW, call, []) for call in calls])
os.execv(sys.argv[3], sys.argv[3:])
"""


def tool(name):
    """Path of a program of systemd."""
    found = shutil.which(name)
    if not found:
        raise Skip(f"there is no {name}")
    return found


def units(lab):
    """The units in a folder of the lab, as they are installed but for the program's path."""
    folder = lab.folder / "units"
    folder.mkdir()
    built = pathlib.Path(os.environ["BUILDDIR"]) / "contrib/systemd/postern@.service"
    text = re.sub(r"^(ExecStart=)\S+", rf"\1{plain_program('postern')}", built.read_text(), flags=re.M)
    (folder / "postern@.service").write_text(text)
    shutil.copy(CONTRIB / "postern@.socket", folder)
    return folder


def settings(unit, name):
    """The values of a setting, in order."""
    return re.findall(rf"^{name}=(.*)$", unit.read_text(), re.M)


def expand(lab, words):
    """The names of system calls that words of SystemCallFilter stand for."""
    calls = set()
    for word in words:
        if not word.startswith("@"):
            calls.add(word)
            continue
        lines = lab.host.run(tool("systemd-analyze"), "syscall-filter", word).splitlines()
        calls |= expand(lab, [line.strip() for line in lines[1:]
                              if line.strip() and not line.strip().startswith("#")])
    return calls


def allowed_calls(lab, unit):
    """What all lines of SystemCallFilter together leave, the first of which allows."""
    calls = expand(lab, ["@default"])
    for line in settings(unit, "SystemCallFilter"):
        if line.startswith("~"):
            calls -= expand(lab, line[1:].split())
        else:
            calls |= expand(lab, line.split())
    return calls


def test_verify(lab):
    """systemd finds nothing to say against the units."""
    folder = units(lab)
    equal(lab.host.run(tool("systemd-analyze"), "verify", "--man=no", folder / "postern@.service",
                       folder / "postern@.socket"), "", "what systemd-analyze verify says")


def test_exposure(lab):
    """The exposure that systemd computes is below 2.0."""
    shown = lab.host.run(tool("systemd-analyze"), "security", "--offline=true",
                         f"--threshold={EXPOSURE_MAX}", units(lab) / "postern@.service")
    contains(shown, "Overall exposure level for postern@i.service: 1.", "the judgement")


def test_sandbox_fits(lab):
    """In what the unit leaves, every layer of the daemon's own sandbox is in force."""
    unit = units(lab) / "postern@.service"
    wanted = set(settings(unit, "RestrictNamespaces")[0].split())
    refused = [str(flag) for name, flag in CLONE_FLAGS.items() if name not in wanted]
    equal(settings(unit, "CapabilityBoundingSet"), [""], "the capabilities")
    with open("/proc/self/uid_map") as uid_map:
        if int(uid_map.read().split()[2]) == 1:
            raise Skip("a second user needs a namespace with more than one")
    daemon = lab.daemon().start(
        "--sandbox=auto", binary=plain_program("postern"),
        wrapper=["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
                 "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs", "/usr/bin/python3", "-c",
                 CONFINE, ",".join(sorted(allowed_calls(lab, unit))), ",".join(refused)])
    states = {row["layer"]: row["state"] for row in daemon.ctl_json("status")["sandbox"]}
    equal({name for name, state in states.items() if state != "applied"}, set(), "the other layers")
    check("sandbox: no" not in daemon.log(), f"the log warns: {daemon.log()}")
    lab.guest.attach(daemon)
    lab.guest.configure()
    daemon.ctl("forward", "add", "tcp", "2222:22")


def test_too_narrow(lab):
    """The same without the namespaces: what test_sandbox_fits looks at can be seen to be missing."""
    unit = units(lab) / "postern@.service"
    daemon = lab.daemon().start(
        "--sandbox=auto", binary=plain_program("postern"),
        wrapper=["setpriv", "--no-new-privs", "/usr/bin/python3", "-c", CONFINE,
                 ",".join(sorted(allowed_calls(lab, unit))), ",".join(map(str, CLONE_FLAGS.values()))])
    states = {row["layer"]: row["state"] for row in daemon.ctl_json("status")["sandbox"]}
    equal(states["namespaces"], "unavailable", "the namespaces")
    contains(daemon.log(), "sandbox: no mount, IPC and UTS namespaces")


def test_users(lab):
    """systemd-sysusers makes the user and the group that the units name."""
    root = lab.folder / "root"
    (root / "etc").mkdir(parents=True)
    lab.host.run(tool("systemd-sysusers"), f"--root={root}", CONTRIB / "postern.sysusers")
    folder = units(lab)
    users = [line.split(":")[0] for line in (root / "etc/passwd").read_text().splitlines()]
    groups = [line.split(":")[0] for line in (root / "etc/group").read_text().splitlines()]
    for unit, user, group in (("postern@.service", "User", "Group"),
                              ("postern@.socket", "SocketUser", "SocketGroup")):
        check(settings(folder / unit, user)[0] in users, f"the user of {unit} is not in {users}")
        check(settings(folder / unit, group)[0] in groups, f"the group of {unit} is not in {groups}")


def test_same_socket(lab):
    """The socket unit listens where the service would, and says that it is the guest's."""
    folder = units(lab)
    path = settings(folder / "postern@.socket", "ListenStream")[0]
    contains(settings(folder / "postern@.service", "ExecStart")[0], f"--socket {path} ")
    equal(settings(folder / "postern@.socket", "FileDescriptorName"), ["guest"], "its name")
