#!/usr/bin/python3
"""forbid CALL[,CALL...] COMMAND...: runs COMMAND without some system calls, as containers do.

A seccomp filter answers the calls with EPERM, in COMMAND and in what that starts.
"""

import ctypes
import errno
import os
import platform
import struct
import sys

CALLS = {
    "x86_64": {"unshare": 272, "pivot_root": 155, "mount": 165},
    "aarch64": {"unshare": 97, "pivot_root": 41, "mount": 40},
}[platform.machine()]
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
LOAD_WORD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06  # linux/bpf_common.h
ALLOW, FAIL = 0x7fff0000, 0x00050000  # linux/seccomp.h


def program(calls):
    """The filter: loads the call's number, then two instructions for each that fails."""
    code = [(LOAD_WORD, 0, 0, 0)]
    for call in calls:
        code += [(JUMP_IF_EQUAL, 0, 1, CALLS[call]), (RETURN, 0, 0, FAIL | errno.EPERM)]
    return [*code, (RETURN, 0, 0, ALLOW)]


class Filter(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_char_p)]


def main():
    calls, *command = sys.argv[1:]
    code = program(calls.split(","))
    raw = b"".join(struct.pack("HBBI", *instruction) for instruction in code)
    libc = ctypes.CDLL(None, use_errno=True)
    # without privileges a filter needs the promise that no program gains any
    if os.geteuid() and libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        sys.exit("forbid: no_new_privs is refused")
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(Filter(len(code), raw))):
        sys.exit(f"forbid: {os.strerror(ctypes.get_errno())}")
    os.execvp(command[0], command)


main()
