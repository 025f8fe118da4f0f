"""What the demo shows of what it did: one profile, one code, one request at a vendor, and what to try next."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from hub.sdk.kit.simulator.base import SimRequest

PARTS = ("traits", "metadata", "events")
MOST_LINES = 16  # of a request's body
WIDTH = 76


def profile_lines(profile: Mapping[str, Any]) -> list[str]:
    """A profile in a few lines: what is known of the person, and what they did."""
    known = [(part, name, value) for part in PARTS for name, value in profile.get(part, {}).items()]
    lines = [f"{part}.{name}: {json.dumps(value, ensure_ascii=False)}" for part, name, value in known]
    return [f"The profile {profile['source_id']}:", *_indented(lines)]


def request_lines(calls: Mapping[str, Sequence[SimRequest]], code: str) -> list[str]:
    """The shortest request that carried a code, of all vendors."""
    bodies = [(call.body.decode("utf-8", "replace"), name, call) for name, each in calls.items() for call in each]
    body, vendor, call = min((one for one in bodies if code in one[0]), key=lambda one: len(one[0]))
    lines = _pretty(body).splitlines()
    shown = [*lines[:MOST_LINES], "…"] if len(lines) > MOST_LINES else lines
    return [f"One request, as {vendor} received it:", *_indented([f"{call.method} {call.path}", *shown])]


def next_lines(folder: Path, origin: str, port: int, key: str, person: str, vendor: str, vendor_url: str) -> list[str]:
    """Where the hub's data are, and commands for another terminal."""
    hub = _command()
    return [
        f"The hub goes on at {origin}. Its data are in {folder}",
        "(hub.db, inbox.db and its log, hub.log) until it ends. In another terminal, try:",
        f"  export HUB_DATA_DIR={folder} HUB_PORT={port}",
        f"  {hub} profiles show {person}",
        f"  {hub} deliveries list --source-id {person}",
        f"  {hub} log",
        f"  {hub} ledger check",
        f"  curl -H 'Authorization: Bearer {key}' {origin}/hub/v1/deliveries",
        f"  curl {vendor_url}/_sim/state    # what {vendor} holds",
        "Ctrl-C stops everything and removes the data.",
    ]


def _command() -> str:
    """How this installation's `hub` is called from here."""
    program = Path(sys.executable).with_name("hub")
    if str(program.parent) in os.environ.get("PATH", "").split(os.pathsep):
        return "hub"
    with suppress(ValueError):
        return str(program.relative_to(Path.cwd()))
    return str(program)


def _pretty(body: str) -> str:
    with suppress(ValueError):
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    return body


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"  {line if len(line) <= WIDTH else line[: WIDTH - 1] + '…'}" for line in lines]
