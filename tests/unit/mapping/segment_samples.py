"""The Segment samples as messages, the way the connector hands them to the hub."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "samples" / "segment"
SAMPLES = sorted(path for path in FOLDER.glob("*.json") if path.stem != "signature_vectors")
RECEIVED_AT = 1_775_113_200_000_000  # 2026-04-02T07:00:00Z, after every sample


def messages_of(path: Path) -> list[dict[str, Any]]:
    """The messages of one body: one, an array, or a batch whose `sentAt` belongs to each."""
    body = json.loads(path.read_text(encoding="utf-8"))
    if isinstance(body, list):
        return body
    if "batch" in body:
        return [{**message, "sentAt": body["sentAt"]} for message in body["batch"]]
    return [{"type": "track", **body}] if "writeKey" in body else [body]
