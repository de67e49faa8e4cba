"""The candidates: who they are, how each is started, and where it comes from."""

import os
import pathlib
import shlex
import shutil
import subprocess
import sys

from bench.terms import HOST, SLIRP4NETNS

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = TOP / "build/bench"
NEWEST = TOP / "build/newest"
DEBROOT = TOP / "scripts/lib/debroot"
TOOLS = ["rr", "tapguest", "udpload", "wan"]
TARGETS = ["postern", *(f"tests/tools/{tool}" for tool in TOOLS)]

MAKE = """
. scripts/lib/apt.sh
packages_install build bench
[ -x configure ] || ./autogen.sh
mkdir -p "$1" && cd "$1"
[ -e Makefile ] || ../../configure
shift
make -j"$(nproc)" "$@"
"""


def build():
    """Builds postern and the tools; returns the folder."""
    done = subprocess.run(["bash", "-euc", MAKE, "bench", BUILD, *TARGETS], cwd=TOP, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise ValueError(f"the build failed:\n{done.stdout[-2000:]}")
    return BUILD


def tools(builddir):
    """The folder of the tools that a build folder must have."""
    folder = builddir / "tests/tools"
    for tool in TOOLS:
        if not os.access(folder / tool, os.X_OK):
            raise ValueError(f"{folder / tool} is missing: `make -C {builddir} "
                             f"{' '.join(TARGETS)}`")
    return folder


def newest_command():
    """Fetches Debian unstable's passt unless it is there."""
    if not (NEWEST / "packages").exists():
        print("bench: unpacking Debian unstable's passt", file=sys.stderr)
        if subprocess.run([DEBROOT, "sid", NEWEST, "passt"]).returncode:
            raise ValueError("the newest passt cannot be had")
    # passt would choose by itself, but looks beside the loader that runs it here.
    variant = ".avx2" if " avx2 " in pathlib.Path("/proc/cpuinfo").read_text() else ""
    return shlex.join([str(DEBROOT), "-x", str(NEWEST), f"usr/bin/passt{variant}"])


def first_line(argv):
    """Of what argv prints; empty if it fails."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return "" if done.returncode else (done.stdout.splitlines() or [""])[0].strip()


def version(name, command):
    """Debian's where it comes from a package, else its own word."""
    package = ""
    if name == "newest":
        package = first_line(["grep", "^passt ", NEWEST / "packages"])
    elif name == command:
        package = first_line(["dpkg-query", "-W", "-f", "${Package} ${Version}", name])
    return package or first_line([*shlex.split(command), "--version"]) or "version unknown"


def candidate(word, builddir):
    """The candidate that a word of the command line means: a dict of name, command, version."""
    name, _, command = word.partition("=")
    if not command:
        known = {"postern": lambda: shlex.quote(str(builddir / "postern")),
                 "passt": lambda: "passt", "newest": newest_command,
                 SLIRP4NETNS: lambda: SLIRP4NETNS, HOST: lambda: HOST}
        if name not in known:
            raise ValueError(f"'{word}' is neither NAME=COMMAND nor one of {', '.join(known)}")
        command = known[name]()
    if command == HOST:
        return {"name": name, "command": HOST, "version": "no daemon, clients on the host itself"}
    try:
        program = (shlex.split(command) or [""])[0]
    except ValueError as error:
        raise ValueError(f"{name}: {error} in {command}") from None
    if not shutil.which(program):
        raise ValueError(f"{name}: no program '{program}'")
    return {"name": name, "command": command, "version": version(name, command)}


def chosen(words, newest, host, builddir):
    """The candidates in order, the first to be compared with the others. Without words they are
    those that there are, and the host itself if that is wanted too."""
    words = list(words) or ["postern", *filter(shutil.which, ("passt", SLIRP4NETNS)),
                            *[HOST] * host]
    if newest and "newest" not in words:
        words.insert(1, "newest")
    found = [candidate(word, builddir) for word in words]
    if len({one["name"] for one in found}) < len(found):
        raise ValueError("two candidates have the same name")
    return found
