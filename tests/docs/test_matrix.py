"""The matrix of connectors says what the code says."""

from __future__ import annotations

from hub.registry.discovery import discover
from tests.docs.matrix import PAGE, matrix


def test_the_matrix_is_what_the_connectors_say() -> None:
    assert PAGE.is_file(), "docs/connectors/matrix.md is missing; run python -m tests.docs.matrix"
    assert matrix() == PAGE.read_text("utf-8"), "docs/connectors/matrix.md is stale; run python -m tests.docs.matrix"


def test_every_bundled_connector_stands_in_it() -> None:
    page = matrix()
    missing = [
        one.title
        for one in discover().values()
        if one.origin == "bundled" and not one.error and f"[{one.title}]" not in page
    ]
    assert missing == []
