"""A schema that is changed while the hub runs: every role follows it within seconds, and each message says which it met."""

from __future__ import annotations

import itertools
import time
from typing import Any

import requests

from tests.harness import RunningHub, eventually

FOLLOWED_WITHIN_S = 5.0


def test_a_changed_schema_is_followed_without_a_restart_and_messages_name_it(hub: RunningHub) -> None:
    source = hub.cli("sources", "add", "segment", "--name", "web", "--json")
    key = hub.cli("keys", "add", "--json")["key"]
    numbers = itertools.count(1)

    def asks(method: str, path: str, **more: Any) -> Any:
        answer = requests.request(
            method, f"{hub.url}/hub/v1/{path}", headers={"Authorization": f"Bearer {key}"}, timeout=10, **more
        )
        assert answer.ok, answer.text
        return answer.json()

    def told() -> dict[str, Any]:
        """What became of a message that comes now."""
        message_id = f"m-{next(numbers)}"
        traits = {"points": "many"}
        message = {"type": "identify", "userId": "ada", "messageId": message_id, "traits": traits}
        auth = (source["write_key"], "")
        assert requests.post(f"{source['webhook_url']}/v1/identify", json=message, auth=auth, timeout=10).ok
        [found] = eventually(lambda: asks("GET", "messages", params={"message_id": message_id})["messages"])
        return dict(found)

    def follows(is_new: Any) -> dict[str, Any]:
        began = time.monotonic()
        found = eventually(lambda: one if is_new(one := told()) else None, what="the schema being followed")
        assert time.monotonic() - began < FOLLOWED_WITHIN_S
        return found

    assert (told()["schema_hash"], told()["warnings"]) == ("", [])
    asks("PUT", "schemas/profile", json={"properties": {"points": "number"}})
    dropped = follows(lambda one: one["warnings"])
    assert [one["code"] for one in dropped["warnings"]] == ["schema_wrong_type"]
    [version] = asks("GET", "schema-versions")
    assert dropped["schema_hash"] == version["hash"]

    hub.cli("schema", "key", "remove", "profile", "points", "--json")
    taken = follows(lambda one: not one["warnings"])
    assert taken["schema_hash"] == asks("GET", "schema-versions")[0]["hash"] != version["hash"]
    [then] = asks("GET", "schemas", params={"version": dropped["schema_hash"]})
    assert then["properties"]["points"]["type"] == "number"
    hub.drained()
