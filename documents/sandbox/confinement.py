"""What a child of the sandbox gives up before it sees a document: the network, other processes, new rights, space."""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import struct
from contextlib import suppress
from pathlib import Path

#: Processes and threads. Where the kernel does not count those of a namespace apart, all of the user's count.
PROCESSES = 4096
_PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 22, 38
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
#: System calls that are refused, by the machine: socket, connect, ptrace, process_vm_readv, process_vm_writev,
#: io_uring_setup, pidfd_getfd. Source: the kernel's tables, arch/x86/entry/syscalls/syscall_64.tbl and
#: include/uapi/asm-generic/unistd.h. Before them the number by which an architecture is told (linux/audit.h).
_REFUSED = {
    "x86_64": (0xC000003E, (41, 42, 101, 310, 311, 425, 438)),
    "aarch64": (0xC00000B7, (198, 203, 117, 270, 271, 425, 438)),
}
#: Bit of the calls of x32, which have numbers of their own.
_X32 = 0x40000000
#: Instructions of a filter (linux/bpf_common.h). Of a comparison two numbers say how many to leave out, if it is so
#: and if not.
_LOAD, _IS, _IS_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _REFUSE, _KILL = 0x7FFF0000, 0x00050000 | 13, 0x80000000  # 13 is EACCES


def confine(memory_bytes: int) -> None:
    """Give up, for this process and all that it starts, what reading a document does not need.

    What a kernel or a container does not allow to be given up is kept: then the rest holds.

    Parameters:
      memory_bytes: of address space, and of the largest file that may be written.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    _leave_the_network(libc)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_FSIZE, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, hard = resource.getrlimit(resource.RLIMIT_NPROC)
    processes = PROCESSES if hard == resource.RLIM_INFINITY else min(hard, PROCESSES)
    resource.setrlimit(resource.RLIMIT_NPROC, (processes, processes))
    _refuse_calls(libc)


def _leave_the_network(libc: ctypes.CDLL) -> None:
    """Go where there is no network, as the same user; from there the memory of other processes is closed as well."""
    user, group = os.getuid(), os.getgid()
    if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) != 0:
        return
    own = Path("/proc/self")
    with suppress(OSError):
        (own / "setgroups").write_text("deny")
        (own / "uid_map").write_text(f"{user} {user} 1")
        (own / "gid_map").write_text(f"{group} {group} 1")


def _refuse_calls(libc: ctypes.CDLL) -> None:
    """Have the kernel answer EACCES to calls that lead to a network or into another process."""
    if platform.machine() not in _REFUSED or struct.calcsize("P") != 8:
        return
    architecture, numbers = _REFUSED[platform.machine()]
    count = len(numbers)
    program = [
        (_LOAD, 0, 0, 4),  # the architecture
        (_IS, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, 0),  # the number of the call
        (_IS_AT_LEAST, count + 1, 0, _X32),
        *((_IS, count - place, 0, number) for place, number in enumerate(numbers)),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
    ]
    filters = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *instruction) for instruction in program))
    pointer = struct.pack("@HP", len(program), ctypes.addressof(filters))
    libc.prctl(_PR_SET_SECCOMP, 2, ctypes.c_char_p(pointer), 0, 0)
