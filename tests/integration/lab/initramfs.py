#!/usr/bin/python3
"""initramfs COMMAND...: runs COMMAND where the root is the kernel's first one, as in an initramfs.

That one cannot be changed for another by pivot_root(2). It lies below the system's own root, whose
mounts are moved to a folder of it, so COMMAND has to be a program with all its libraries; it is
started by its loader. `initramfs --clean` removes the folder again.
"""

import ctypes
import os
import re
import subprocess
import sys

FOLDER = "/postern-lab"
CLONE_NEWNS, MNT_DETACH, AT_FDCWD, AT_RECURSIVE = 0x20000, 2, -100, 0x8000
OPEN_TREE_CLONE, MOVE_MOUNT_F_EMPTY_PATH = 1, 4
OPEN_TREE, MOVE_MOUNT = 428, 429  # the same number on all machines
libc = ctypes.CDLL(None, use_errno=True)


def must(result, what):
    if result < 0:
        sys.exit(f"initramfs: {what}: {os.strerror(ctypes.get_errno())}")
    return result


def libraries(program):
    """(path of the loader, folders of libraries)"""
    shown = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
    paths = re.findall(r"(/\S+) \(0x", shown)
    loader = next(path for path in paths if "/ld-linux" in path)
    return os.path.realpath(loader), sorted({os.path.dirname(path) for path in paths})


def enter_first_root():
    """Makes the first root this process's; the tree that was the root is what it returns."""
    must(libc.unshare(CLONE_NEWNS), "unshare")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    tree = must(libc.syscall(OPEN_TREE, AT_FDCWD, b"/", OPEN_TREE_CLONE | AT_RECURSIVE), "open_tree")
    own = os.open("/proc/self/ns/mnt", os.O_RDONLY)
    must(libc.umount2(b"/", MNT_DETACH), "umount2")
    must(libc.setns(own, CLONE_NEWNS), "setns")  # moves the root to what lies on top now
    return tree


def main():
    if sys.argv[1] == "--clean":
        enter_first_root()
        os.rmdir(FOLDER)
        return
    loader, folders = libraries(sys.argv[1])
    tree = enter_first_root()
    os.makedirs(FOLDER, exist_ok=True)
    must(libc.syscall(MOVE_MOUNT, tree, b"", AT_FDCWD, FOLDER.encode(), MOVE_MOUNT_F_EMPTY_PATH),
         "move_mount")
    os.chdir("/")
    os.execv(FOLDER + loader, [FOLDER + loader, "--library-path",
                               ":".join(FOLDER + folder for folder in folders),
                               *(FOLDER + word if word.startswith("/") else word for word in sys.argv[1:])])


main()
