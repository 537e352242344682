"""Running manage.py as its users do: another process, its output captured."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 60


def clean_environment(**changes: str) -> dict[str, str]:
    """The environment without anything that configures the installation, plus `changes`."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}
    return kept | {"VV_EMBEDDED_FSYNC": "off"} | changes


def manage(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; a command that hangs fails the test."""
    return subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), *arguments],
        env=clean_environment(**environment),
        cwd="/",
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
