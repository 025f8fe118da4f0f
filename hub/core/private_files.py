"""Files that hold personal data are for the user who runs the hub alone: 0600, their folders 0700."""

from __future__ import annotations

import os
import stat
from pathlib import Path

UMASK = 0o077
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def keep_private() -> None:
    """Whatever this process makes from now on is for its user alone. Called where a process begins."""
    os.umask(UMASK)


def loosened(folder: Path) -> list[Path]:
    """The folder, its files and its folders that others on this machine may read or write; at most one level down."""
    if not folder.is_dir():
        return []
    found = [folder, *sorted(folder.iterdir())]
    return [path for path in found if not path.is_symlink() and path.stat().st_mode & _OTHERS]
