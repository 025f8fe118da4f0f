"""The order of the suite: what shares fixtures stays on one worker, and a quick run knows what a change concerns."""

from __future__ import annotations

import pytest

from tests.order import changed_connectors, rank, unit_of


@pytest.mark.parametrize(
    ("nodeid", "unit"),
    [
        ("tests/rooms/test_a.py::test_x[sqlite]", "tests/rooms/test_a.py sqlite"),
        ("tests/rooms/test_a.py::test_x[kafka-postgres-cut]", "tests/rooms/test_a.py postgres"),
        ("tests/faults/test_a.py::test_x[sqlite]", "tests/faults/test_a.py"),
        ("tests/unit/test_a.py::test_x", "tests/unit/test_a.py "),
        ("tests/unit/test_a.py::test_x[a sqlite file]", "tests/unit/test_a.py "),
        (
            "tests/contract/test_connectors.py::test_a_connector_keeps_the_contract[braze: one-outcome-per-input]",
            "tests/contract/test_connectors.py braze",
        ),
        (
            "tests/contract/test_connectors.py::test_a_connector_can_be_loaded[braze]",
            "tests/contract/test_connectors.py braze",
        ),
    ],
)
def test_tests_of_a_file_stay_together_per_engine_and_those_of_a_contract_per_connector(nodeid: str, unit: str) -> None:
    assert unit_of(nodeid) == unit


def test_what_takes_minutes_begins_first() -> None:
    ids = ["tests/unit/test_a.py::t", "tests/e2e/test_a.py::t", "tests/faults/test_kafka.py::t", "tests/rooms/a.py::t"]

    assert [one.split("/")[1] for one in sorted(ids, key=rank)] == ["faults", "e2e", "rooms", "unit"]


@pytest.mark.parametrize(
    ("files", "connectors"),
    [
        (["connectors/braze/connector.py", "mappings/klaviyo.yaml", "docs/connectors/wyng.md"], {"braze", "klaviyo", "wyng"}),
        (["connectors/braze/cases/profiles.yaml"], {"braze"}),
        (["hub/inbox/door.py", "README.md"], set()),
        (["connectors/braze/connector.py", "hub/sdk/contract.py"], None),
        (["hub/check/records.py"], None),
    ],
)  # fmt: skip
def test_a_change_concerns_its_connectors_or_all_where_the_contract_changed(
    files: list[str], connectors: set[str] | None
) -> None:
    assert changed_connectors(files) == connectors
