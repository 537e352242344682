"""Start a program detached and without root's rights; run as a script, standard library only.

    python -I launcher.py --as {self,namespace,nobody} [--log FILE] -- PROGRAM ARGUMENT...

With --log the program becomes a session of its own with its output in FILE, and its process id is printed;
without it this process becomes the program. PostgreSQL refuses to run as root, hence:

namespace  a user namespace in which our own user is called 65534. For files outside it stays the same user, so
           it reaches whatever we reach, and root's powers are gone.
nobody     the unprivileged user of that name; it reaches only what everybody may read.
"""

import argparse
import ctypes
import os
import pwd

CLONE_NEWUSER = 0x10000000  # linux/sched.h
OVERFLOW_ID = 65534  # the number Linux distributions give to `nobody`; any but 0 would do


def enter_user_namespace() -> None:
    uid, gid = os.getuid(), os.getgid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "user namespaces are not allowed here")
    for name, text in (
        ("setgroups", "deny"),  # the kernel asks for it before an unprivileged gid_map
        ("uid_map", f"{OVERFLOW_ID} {uid} 1"),
        ("gid_map", f"{OVERFLOW_ID} {gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def become_nobody() -> None:
    entry = pwd.getpwnam("nobody")
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)


def detach(log: str) -> None:
    """Return in a child that has its own session and writes to `log`; the parent prints its id and ends."""
    child = os.fork()
    if child:
        print(child, flush=True)
        os._exit(0)
    os.setsid()
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(output, 1)
    os.dup2(output, 2)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--as", dest="run_as", choices=["self", "namespace", "nobody"], default="self")
    parser.add_argument("--log")
    parser.add_argument("program", nargs="+")
    arguments = parser.parse_args()
    if arguments.log:
        detach(arguments.log)
    os.umask(0o077)
    if arguments.run_as == "namespace":
        enter_user_namespace()
    elif arguments.run_as == "nobody":
        become_nobody()
    os.chdir("/")
    os.execv(arguments.program[0], arguments.program)


if __name__ == "__main__":
    main()
