"""The samples of the industries, mapped and filtered as `hub init --industry` sets things up.

`python -m tests.unit.mapping.industry_samples` prints what each becomes now; the files in `canonical` were read and found
right.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from hub.admin.industries import industry
from hub.mapping.inbound import Inbound, compile_inbound
from hub.mapping.show import change_as_json
from hub.mapping.versions.files import Folders
from hub.mapping.versions.version import resolve
from hub.profiles.rules.schemas import Schemas
from hub.profiles.schema_document import checked

FOLDER = Path(__file__).parents[2] / "samples" / "industries"
SAMPLES = sorted(path for path in FOLDER.glob("*/*.json") if path.parent.name != "canonical")
RECEIVED_AT = 1_773_500_000_000_000  # 2026-03-14T14:53:20Z, after every sample
Compile = Callable[..., Inbound]


@cache
def schemas_of(name: str) -> Schemas:
    return Schemas({kind: checked(kind, each) for kind, each in industry(name).schemas.items()})


@cache
def inbound_of(mapping: str, compile_: Compile) -> Inbound:
    return compile_(resolve(mapping, "", Folders()).document, connection_id="c", options={"currency": "EUR"})


def result(path: Path, compile_: Compile = compile_inbound) -> dict[str, Any]:
    """The canonical JSON of a sample under its industry's mapping and schema."""
    name = path.parent.name
    message = json.loads(path.read_text(encoding="utf-8"))
    mapping = name if "type" in message else f"{name}-mparticle"
    change = inbound_of(mapping, compile_).apply(
        message, message_id=message.get("messageId", "m-1"), received_at=RECEIVED_AT
    )
    return change_as_json(schemas_of(name).filter(change))


def canonical(path: Path) -> Path:
    return path.parent / "canonical" / path.name


if __name__ == "__main__":
    for each in SAMPLES:
        print(f"── {each.parent.name}/{each.name}")
        print(json.dumps(result(each), indent=1, ensure_ascii=False))
