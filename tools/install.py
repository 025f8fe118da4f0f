"""Makes the virtual environment and installs the locked packages, and shows how far that is.

    python3 tools/install.py .venv

What pip says is shown only where it fails: its warnings are mostly about the machine's own settings.
"""

from __future__ import annotations

import platform
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

LOCK = Path("requirements.lock")
LAST_LINES = 15  # of pip, where it fails


def main(folder: Path) -> int:
    """Exit code 0 once everything is installed."""
    began = time.monotonic()
    count = sum("==" in line and not line.startswith((" ", "#")) for line in LOCK.read_text().splitlines())
    print(f"Making {folder} with Python {platform.python_version()} …", flush=True)
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    print(f"Installing {count} packages into {folder} (about a minute) …", flush=True)
    if not _pip(folder, count, "--require-hashes", "-r", str(LOCK)):
        return 1
    if not _pip(folder, 0, "--no-deps", "--no-build-isolation", "--editable", "."):
        return 1
    print(f"Installed in {time.monotonic() - began:.0f} s.")
    return 0


def _pip(folder: Path, count: int, *arguments: str) -> bool:
    """Whether pip could install this; if not, its last words are shown."""
    command = [str(folder / "bin" / "python"), "-m", "pip", "install", "--progress-bar", "off", *arguments]
    last: deque[str] = deque(maxlen=LAST_LINES)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        for line in _watched(process.stdout, count):
            last.append(line)
    if process.returncode:
        print(f"pip could not install the packages. What it said last:\n{''.join(last)}", file=sys.stderr)
    return process.returncode == 0


def _watched(lines: Iterator[str], count: int) -> Iterator[str]:
    """The lines of pip, while a counter runs: in place on a terminal, else a line for each quarter."""
    seen, quarter = 0, 0
    for line in lines:
        yield line
        if line.startswith("Collecting "):
            seen += 1
            if sys.stdout.isatty():
                print(f"\r  {seen} of {count} found", end="", flush=True)
            elif count and seen * 4 // count > quarter:
                quarter = seen * 4 // count
                print(f"  {seen} of {count} found", flush=True)
        elif line.startswith("Installing collected packages") and count:
            begin = "\r" if sys.stdout.isatty() else ""
            print(f"{begin}  all found; unpacking …", flush=True)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
