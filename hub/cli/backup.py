"""`hub backup`: a copy that can be restored, taken while the hub runs."""

from __future__ import annotations

from pathlib import Path

import click

from hub.cli.support import ACTOR, as_json, open_hub, print_fields
from hub.core import clock
from hub.core.database import write
from hub.core.settings import Settings
from hub.ledger.store import record_audit
from hub.runtime.process.installation import Installation
from hub.sdk.errors import ConfigurationError


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@as_json
def backup(folder: Path, json_: bool) -> None:
    """Copy both SQLite files into FOLDER, as they belong together, while the hub runs. The key is not copied."""
    from hub.runtime.upkeep.backup import back_up

    hub = Installation(Settings())
    if not hub.is_made:
        raise ConfigurationError(
            f"There is no hub in {hub.settings.data_dir.absolute()}; HUB_DATA_DIR names its folder."
        )
    hub = open_hub()
    copies = back_up(hub, folder)
    with write(hub.engine) as database:
        record_audit(database, clock.now(), ACTOR, "hub.backed_up", "", {"files": len(copies)})
    print_fields({"files": [str(path.absolute()) for path in copies]}, json_=json_)
