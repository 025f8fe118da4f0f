"""/hub/v1/campaigns, /distributions and /profiles."""

from __future__ import annotations

from typing import Any

import pytest

from hub.core.clock import now
from hub.core.database import write
from hub.profiles import store as profiles
from tests.rooms.api.conftest import Api
from tests.rooms.profiles.people import applied, change, digest

DAILY = {"kind": "cron", "expression": "0 9 * * *", "timezone": "Europe/Oslo"}
TO_CRM = {"connection": "crm", "operation": "messages", "options": {"campaign_id": "c-1"}}


def plan(**changes: Any) -> dict[str, Any]:
    wanted = {"name": "spring mail", "campaign": "spring", "trigger": DAILY, "targets": [TO_CRM], **changes}
    return {key: value for key, value in wanted.items() if value is not ...}


@pytest.fixture
def ready(api: Api) -> Api:
    """A hub with a destination and a campaign."""
    api.add_destination()
    api.post("/hub/v1/campaigns", {"name": "spring", "pattern": "SPRING-######"})
    return api


def test_a_campaign_is_added_shown_and_listed(api: Api) -> None:
    body = {"name": "spring", "pattern": "S-######", "value": {"percent_off": 10}, "valid_s": 3600, "is_once": False}
    added = api.post("/hub/v1/campaigns", {**body, "expires_at": "2090-01-01T00:00:00+01:00"})

    assert added["value"] == {"percent_off": 10}
    assert added["expires_at"] == "2089-12-31T23:00:00.000Z"
    assert (added["free"], added["published"], added["retired"]) == (0, 0, 0)
    assert api.get("/hub/v1/campaigns") == [added]
    assert api.get("/hub/v1/campaigns/spring") == api.get(f"/hub/v1/campaigns/{added['id']}") == added


def test_codes_are_imported_and_each_rejected_one_says_why(api: Api) -> None:
    api.post("/hub/v1/campaigns", {"name": "bought", "kind": "imported"})

    done = api.post("/hub/v1/campaigns/bought/codes", {"codes": ["A-1", "A-2", "A-2", "x" * 101]})

    assert (done["added"], done["rejected"]) == (2, 2)
    assert "more than once" in done["reasons"]["A-2"]
    assert api.get("/hub/v1/campaigns/bought")["free"] == 2
    api.refused("POST", "/hub/v1/campaigns/nobody/codes", {"codes": ["A"]}, 404)
    api.post("/hub/v1/campaigns", {"name": "made"})
    api.refused("POST", "/hub/v1/campaigns/made/codes", {"codes": ["A"]})


def test_a_distribution_lives_from_adding_to_removal(ready: Api) -> None:
    added = ready.post("/hub/v1/distributions", plan())
    assert (added["campaign"], added["is_enabled"], added["audience"]) == ("spring", True, {"all": True})
    assert added["targets"] == [TO_CRM]
    assert ready.get("/hub/v1/distributions") == [added]

    path = "/hub/v1/distributions/spring mail"
    assert ready.get(path) == added
    assert ready.post(f"{path}/pause", None, 200)["is_enabled"] is False
    assert "paused" in ready.refused("POST", f"{path}/run")["message"]
    assert ready.post(f"{path}/resume", None, 200)["is_enabled"] is True
    first = ready.post(f"{path}/run", {"key": "monday"}, 202)
    again = ready.post(f"{path}/run", {"key": "monday"}, 202)
    other = ready.post(f"{path}/run", None, 202)
    assert (first["is_new"], again["is_new"], other["is_new"]) == (True, False, True)
    assert first["occasion_id"] == again["occasion_id"] != other["occasion_id"]

    assert ready("DELETE", path).json == {"removed": True}
    assert ready.get("/hub/v1/distributions") == []
    for method, rest in (("GET", ""), ("DELETE", ""), ("POST", "/pause"), ("POST", "/resume"), ("POST", "/run")):
        ready.refused(method, f"/hub/v1/distributions/{added['id']}{rest}", None, 404)
    actions = [entry["action"] for entry in ready.get("/hub/v1/audit")["audit"]]
    assert actions[:3] == ["distribution.removed", "distribution.run", "distribution.run"]


BAD_PLANS: list[tuple[dict[str, Any], str]] = [
    ({"name": ...}, "name"),
    ({"name": 7}, "'name'"),
    ({"name": "x" * 101}, "name"),
    ({"nmae": "x"}, "'nmae'"),
    ({"campaign": "autumn"}, "'autumn'"),
    ({"campaign": {"a": 1}}, "'campaign'"),
    ({"audience": []}, "audience"),
    ({"audience": {"all": "yes"}}, "audience"),
    ({"audience": {"source_ids": "ada"}}, "audience"),
    ({"audience": {"source_ids": ["a", 7]}}, "audience"),
    ({"audience": {"source_ids": ["x" * 256]}}, "audience"),
    ({"trigger": "daily"}, "trigger"),
    ({"trigger": {"kind": ["cron"]}}, "trigger"),
    ({"trigger": {"kind": "weekly"}}, "kind"),
    ({"trigger": {"kind": "cron", "expression": "* *"}}, "five"),
    ({"trigger": {"kind": "cron", "expression": "99999999999999999999 * * * *"}}, "not valid"),
    ({"trigger": {"kind": "cron", "expression": "*/0 * * * *"}}, "not valid"),
    ({"trigger": {"kind": "cron", "expression": {"a": 1}}}, "expression"),
    ({"trigger": {"kind": "cron", "expression": "0 9 * * 9-99999999"}}, "day of the week"),
    ({"trigger": {**DAILY, "timezone": "../../etc/passwd"}}, "time zone"),
    ({"trigger": {**DAILY, "timezone": ["UTC"]}}, "time zone"),
    ({"trigger": {**DAILY, "timezone": "Europe"}}, "time zone"),
    ({"trigger": {"kind": "at", "at": "2001-01-01T00:00:00Z"}}, "past"),
    ({"trigger": {"kind": "at", "at": 5}}, "'at'"),
    ({"trigger": {"kind": "at", "at": "99999-01-01"}}, "'at'"),
    ({"trigger": {"kind": "interval", "every_s": 10**30}}, "every_s"),
    ({"trigger": {"kind": "interval", "every_s": 2**63}}, "every_s"),
    ({"trigger": {"kind": "interval", "every_s": True}}, "every_s"),
    ({"trigger": {"kind": "interval", "every_s": 60, "start_at": [1]}}, "start_at"),
    ({"targets": ...}, "targets"),
    ({"targets": []}, "at least one"),
    ({"targets": {}}, "targets"),
    ({"targets": ["crm"]}, "targets"),
    ({"targets": [TO_CRM, TO_CRM]}, "twice"),
    ({"targets": [{**TO_CRM, "connection": "nobody"}]}, "'nobody'"),
    ({"targets": [{**TO_CRM, "connection": {"a": []}}]}, "destination"),
    ({"targets": [{**TO_CRM, "operation": "erase"}]}, "erase"),
    ({"targets": [{**TO_CRM, "operation": ["messages"]}]}, "messages"),
    ({"targets": [{**TO_CRM, "options": {}}]}, "campaign_id"),
    ({"targets": [{**TO_CRM, "options": []}]}, "campaign_id"),
    ({"targets": [{**TO_CRM, "options": [1]}]}, "options"),
    ({"targets": [{**TO_CRM, "options": {"campaign_id": "c", "campain": 1}}]}, "'campain'"),
    ({"targets": [{**TO_CRM, "option": {}}]}, "'option'"),
    ({"missed": "sometimes"}, "'sometimes'"),
    ({"missed": 0}, "'missed'"),
    ({"consent": False}, "'consent'"),
    ({"consent": "x" * 101}, "consent"),
]


def test_a_distribution_that_cannot_be_is_refused_with_a_sentence(ready: Api) -> None:
    for changes, sentence in BAD_PLANS:
        told = ready.refused("POST", "/hub/v1/distributions", plan(**changes))["message"]
        assert sentence in told, f"{changes}: {told}"
    assert ready.get("/hub/v1/distributions") == []


BAD_CAMPAIGNS: list[dict[str, Any]] = [
    {}, {"name": ""}, {"name": " x"}, {"name": 5}, {"name": "x" * 101}, {"name": "a\0"}, {"name": "spring"},
    {"name": "x", "kind": "stolen"}, {"name": "x", "kind": []}, {"name": "x", "pattern": 5},
    {"name": "x", "pattern": "no slots"}, {"name": "x", "pattern": "##"}, {"name": "x", "pattern": "#" * 200},
    {"name": "x", "charset": "#"}, {"name": "x", "charset": "a" * 300}, {"name": "x", "charset": "\ud800ab"},
    {"name": "x", "length": 10**12}, {"name": "x", "length": -1}, {"name": "x", "length": "8"},
    {"name": "x", "length": True}, {"name": "x", "length": 1.5}, {"name": "x", "prefix": "#"},
    {"name": "x", "prefix": "y" * 99}, {"name": "x", "postfix": "a b"}, {"name": "x", "valid_s": 0},
    {"name": "x", "valid_s": 2**63}, {"name": "x", "valid_s": -(2**63)}, {"name": "x", "valid_s": 1e300},
    {"name": "x", "expires_at": "tomorrow"}, {"name": "x", "expires_at": "2001-01-01T00:00:00Z"},
    {"name": "x", "expires_at": "2090-01-01T00:00:00"}, {"name": "x", "expires_at": 10**30},
    {"name": "x", "expires_at": {}}, {"name": "x", "is_once": "no"}, {"name": "x", "expected": 10**18},
    {"name": "x", "expected": -5}, {"name": "x", "id": "mine"}, {"name": "x", "code_count": 5},
]  # fmt: skip


def test_a_campaign_that_cannot_be_is_refused_with_a_sentence(ready: Api) -> None:
    for body in BAD_CAMPAIGNS:
        ready.refused("POST", "/hub/v1/campaigns", body)
    assert [each["name"] for each in ready.get("/hub/v1/campaigns")] == ["spring"]


def test_campaigns_and_codes_end_as_by_command(api: Api) -> None:
    api.post("/hub/v1/campaigns", {"name": "bought", "kind": "imported"})
    path = "/hub/v1/campaigns/bought"
    api.post(f"{path}/codes", {"codes": ["A", "B", "C", "D"]})
    api.refused("POST", f"{path}/codes", {"codes": ["\x00", "E"], "max_bad": 0})

    assert api.post(f"{path}/codes/retire", {"codes": ["A"]}, status=200) == {"codes_retired": 1}
    assert api.post(f"{path}/codes/remove", {"codes": ["B"]}, status=200) == {"codes_removed": 1}
    assert api.post(f"{path}/codes/remove", {"codes": None}, status=200) == {"codes_removed": 2}
    api.refused("POST", f"{path}/codes/remove", {"codes": ["A"]})
    retired = api.post(f"{path}/retire", status=200)
    assert (retired["free"], retired["retired"], bool(retired["retired_at"])) == (0, 1, True)
    assert api("DELETE", path).json == {"removed": True, "codes_removed": 1}
    api.refused("GET", path, status=404)


def test_the_value_of_a_campaign_may_be_any_json(api: Api) -> None:
    for number, value in enumerate([None, 0, "", [], {"a": [1, {"b": None}]}, 1.5, 2**63, "é🎁"]):
        added = api.post("/hub/v1/campaigns", {"name": f"c{number}", "value": value})
        assert added["value"] == value


def test_profiles_are_found_by_any_source_id_and_through_merges(api: Api) -> None:
    strange = ["ada", "/slash/", "a?b=c&d", "ø 🎁", "a%b", "..", "a//b", "x" * 255]
    with write(api.engine) as database:
        changes = [applied(change(who, fields={"name": who}), f"m{place}") for place, who in enumerate(strange)]
        profiles.merge(database, changes, now(), digest)
    from urllib.parse import quote

    for who in strange:
        assert api.get(f"/hub/v1/profiles/{quote(who, safe='')}")["source_id"] == who
    api.refused("GET", "/hub/v1/profiles/nobody", status=404)
    assert len(api.refused("GET", "/hub/v1/profiles/" + "x" * 3000, status=404)["message"]) < 200


def test_erasing_somebody_answers_without_naming_them(api: Api) -> None:
    api.add_destination()
    with write(api.engine) as database:
        profiles.merge(database, [applied(change("cust-ada", fields={"email": "cust-ada@example.com"}))], now(), digest)

    answer = api("DELETE", "/hub/v1/profiles/cust-ada")

    assert answer.status_code == 200
    assert answer.json["profiles"] == 1
    assert answer.json["destinations"] == ["crm"]
    assert "cust-ada" not in answer.text
    api.refused("GET", "/hub/v1/profiles/cust-ada", status=404)
    assert api("DELETE", "/hub/v1/profiles/nobody").status_code == 200
    assert "cust-ada" not in api("GET", "/hub/v1/audit").text
