"""What a process reports of itself with its heartbeats: its version, where it looks, and what it found there.

    {"version": "0.9.0", "pid": 4711, "host": "hub-1", "connectors_path": "/srv/connectors", "mappings_path": "",
     "missing_folders": ["/srv/connectors"], "connectors": ["alpha", "gamma"], "dropped": {"acme": "/srv/more/acme"},
     "broken": {"beta": "connectors.beta.connector cannot be loaded: ..."}, "mappings": {"web": "12:3: there is no ..."}}

`mappings` comes from the schedule role and `lanes` from the deliver role; see Installation.reports.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

from hub import __version__
from hub.runtime.process.installation import Installation


def report_of(hub: Installation) -> dict[str, Any]:
    """The report of this process now. Loads the connectors, once."""
    settings, found = hub.settings, hub.connectors.values()
    return {
        "version": __version__,
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "connectors_path": settings.connectors_path,
        "mappings_path": settings.mappings_path,
        "missing_folders": missing_folders(settings.connectors_path, settings.mappings_path),
        "connectors": [each.name for each in found if not each.error],
        "dropped": {each.name: str(each.folder) for each in found if each.origin != "bundled" and not each.error},
        "broken": {each.name: each.error for each in found if each.error},
        **{name: part() for name, part in list(hub.reports.items())},
    }


def missing_folders(*paths: str) -> list[str]:
    """The folders of PATH-like settings that are not there."""
    parts = [part for path in paths for part in path.split(os.pathsep) if part]
    return sorted(part for part in parts if not Path(part).expanduser().is_dir())
