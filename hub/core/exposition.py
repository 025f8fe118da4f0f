"""How the counters (`hub.core.counters`) are exposed, right across processes: prometheus-client's multiprocess files in HUB_DATA_DIR/metrics.

What a table can tell (waiting, ages, states) is read from the tables at scrape time instead, see `hub.api.health`.
"""

from __future__ import annotations

import os
import shutil

from hub.core.settings import Settings

FOLDER_ENV = "PROMETHEUS_MULTIPROC_DIR"  # read by prometheus-client when it is imported


def prepare(settings: Settings, *, clean: bool = False) -> None:
    """Name the folder of the counters before prometheus-client is imported; the supervisor cleans it at start."""
    folder = settings.data_dir.absolute() / "metrics"
    if clean:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault(FOLDER_ENV, str(folder))


def text() -> bytes:
    """All counters of all processes, in Prometheus text format."""
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.multiprocess import MultiProcessCollector

    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # the library leaves it untyped
    exposed: bytes = generate_latest(registry)
    return exposed
