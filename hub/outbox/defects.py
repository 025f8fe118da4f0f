"""A connector's own failures, as the log tells them."""

from __future__ import annotations

import traceback

from hub.core.logging import logger


def tell_defect(connection: str, defect: Exception) -> None:
    """Log a connector's failure by kind and place: its message may name a person, and stands with the dead letter."""
    frames = traceback.extract_tb(defect.__traceback__)
    place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    logger("outbox").error("a connector failed", connection=connection, why=type(defect).__name__, where=place)
