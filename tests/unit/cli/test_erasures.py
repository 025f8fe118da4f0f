"""`hub erasures`: what was asked, and where it stands."""

from __future__ import annotations

from hub.core.clock import DAY, HOUR
from hub.core.database import write
from hub.profiles import requests
from tests.heartbeats import roles_live
from tests.unit.cli.conftest import Shell

EARLY = 1_700_000_000_000_000


def test_an_erasure_by_hand_is_listed_and_shown(shell: Shell) -> None:
    done = shell.json("erase", "ada", "--anyway", "--yes")
    (listed,) = shell.json("erasures", "list")
    shown = shell.json("erasures", "show", done["request_id"])
    assert (listed["status"], listed["request_id"]) == ("completed", done["request_id"])
    assert {key: shown[key] for key in listed} == listed
    assert shell.json("erasures", "list", "--status", "pending") == []
    assert "ada" not in shell.text("erasures", "list") + shell.text("erasures", "show", done["request_id"])


def test_erasing_nobody_says_so_and_changes_nothing(shell: Shell) -> None:
    assert "Nobody is known by the source_id 'ada'" in shell.error("erase", "ada", "--yes")
    assert shell.json("erasures", "list") == []
    assert "not been erased" in shell.error("erase", "ada", "--lift"), "no tombstone was left"

    assert shell.json("erase", "ada", "--anyway", "--yes")["profiles"] == 1
    assert shell.json("erase", "ada", "--lift") == {"lifted": True}


def test_unknown_and_finished_requests_are_explained(shell: Shell) -> None:
    done = shell.json("erase", "ada", "--anyway", "--yes")
    assert "`hub erasures list`" in shell.error("erasures", "show", "none")
    assert "`hub erasures list`" in shell.error("erasures", "complete", "none")
    assert "nothing to see to by hand" in shell.error("erasures", "complete", done["request_id"])


def test_the_doctor_tells_of_requests_that_wait_for_an_operator(shell: Shell) -> None:
    shell.text("migrate")
    roles_live(shell.installation.engine)
    with write(shell.installation.engine) as database:
        stuck = requests.register(database, "", "r-stuck", EARLY, expected_at=EARLY + 4_000 * DAY)
        failed = requests.register(database, "", "r-failed", EARLY, expected_at=EARLY + 4_000 * DAY)
        requests.begin(database, failed, EARLY + HOUR)
        requests.note(database, failed, untold=["crm", "mail"])
    told = [one["text"] for one in shell.json("doctor") if "request to erase" in one["text"]]
    assert any(stuck.request_id in one and "not been carried out" in one for one in told)
    assert any("crm, mail" in one and f"hub erasures complete {failed.id}" in one for one in told)

    assert shell.json("erasures", "complete", "r-failed")["status"] == "completed"
    assert not any("r-failed" in one["text"] for one in shell.json("doctor"))
