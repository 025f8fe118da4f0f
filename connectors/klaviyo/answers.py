"""Klaviyo's error envelope, and which record an error is about.

{"errors": [{"status": 409, "code": "duplicate_profile", "detail": "...", "source": {"pointer": "/data/attributes"},
"meta": {"duplicate_profile_id": "01..."}}]}  (rate_limits_and_error_handling)
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from hub.sdk.errors import Permanent, Split, Unreadable
from hub.sdk.values import Again, Batch, Outcome, Rejected, Response

DUPLICATE: Final = "duplicate_profile"
_INDEX: Final = re.compile(r"/data/attributes/(?:events-bulk-create|profiles)/data/(\d+)(?:/|$)")


def errors(response: Response | None) -> list[Mapping[str, Any]]:
    """The objects of the envelope; none if the answer is not one."""
    if response is None:
        return []
    try:
        body = response.json()
    except Unreadable:
        return []
    listed = body.get("errors") if isinstance(body, dict) else None
    return [error for error in listed if isinstance(error, dict)] if isinstance(listed, list) else []


def pointer(error: Mapping[str, Any]) -> str:
    source = error.get("source")
    return str(source.get("pointer") or source.get("parameter") or "") if isinstance(source, Mapping) else ""


def words(error: Mapping[str, Any]) -> str:
    """The vendor's own sentence."""
    return str(error.get("detail") or error.get("title") or "The vendor gave no reason.")


def rejected(delivery_id: str, error: Mapping[str, Any]) -> Rejected:
    return Rejected(delivery_id, words(error), code=str(error.get("code") or "rejected"), field=pointer(error) or None)


def refused(delivery_id: str, refusal: Permanent) -> Rejected:
    """The refusal of a call that carried one record, in the vendor's words. Raises it where there are none."""
    listed = errors(refusal.response)
    if not listed:
        raise refusal
    return rejected(delivery_id, listed[0])


def is_about_identifiers(error: Mapping[str, Any]) -> bool:
    """Whether the profile would get in without one of its identifiers."""
    return error.get("code") == DUPLICATE or pointer(error).endswith("/phone_number")


def obstacle(response: Response | None, attributes: Mapping[str, Any]) -> tuple[str, str] | None:
    """The identifier to leave out so that the rest of a refused profile gets in, with a notice for the operator.

    A 409 says that the identifiers belong to two profiles (klaviyo-api-php issue 63, klaviyo-api-node issues 74 and
    75): the weaker one goes first. A phone number that Klaviyo will not take fails the whole profile otherwise.
    """
    for error in filter(is_about_identifiers, errors(response)):
        weaker = ("phone_number", "email") if error.get("code") == DUPLICATE else ("phone_number",)
        name = next((name for name in weaker if attributes.get(name)), None)
        if name and error.get("code") == DUPLICATE:
            meta = error.get("meta")
            other = meta.get("duplicate_profile_id") if isinstance(meta, Mapping) else None
            return name, (
                f"Sent without {name}: the identifiers belong to two Klaviyo profiles (the other is {other}). "
                "Merge them in Klaviyo, then send this profile again with --force."
            )
        if name:
            return name, f"Sent without {name}: {words(error)}"
    return None


def outcomes_of_refusal(batch: Batch, refusal: Permanent) -> Sequence[Outcome]:
    """Who is to blame where one bad item failed a whole job.

    Raises Split if Klaviyo does not say, so that the culprit comes to stand alone.
    """
    blamed: dict[str, Mapping[str, Any]] = {}
    for error in errors(refusal.response):
        found = _INDEX.match(pointer(error))
        if found and int(found[1]) < len(batch.items):
            blamed.setdefault(batch.items[int(found[1])].delivery_id, error)
    if not blamed and len(batch.records) > 1:
        raise Split("Klaviyo refused the job without saying which record.", response=refusal.response) from refusal
    if not blamed:
        return [refused(batch.records[0].delivery_id, refusal)]
    return [
        rejected(record.delivery_id, blamed[record.delivery_id])
        if record.delivery_id in blamed
        else Again(record.delivery_id, "Another record of the same job was refused.", counts=False)
        for record in batch.records
    ]


def profile_named(refusal: Permanent, ids: Mapping[str, str]) -> list[str]:
    """The deliveries whose Klaviyo profile a 404 of a list call names as gone."""
    said = " ".join(words(error) for error in errors(refusal.response) if str(error.get("status")) == "404")
    return [delivery_id for delivery_id, profile_id in ids.items() if profile_id in said]


def resource(response: Response | None, status: int | None = None) -> Mapping[str, Any]:
    """The one resource of an answer. Raises Unreadable if Klaviyo does not answer such a call so."""
    expect(response, status)
    found = _body(response).get("data")
    if not isinstance(found, dict) or not isinstance(found.get("id"), str):
        raise Unreadable("The answer holds no resource with an id.", response=response, unknown=True)
    return found


def resources(response: Response | None) -> list[Mapping[str, Any]]:
    """The resources of a list answer. Raises Unreadable if it is none."""
    found = _body(response).get("data")
    if not isinstance(found, list):
        raise Unreadable("The answer holds no list of resources.", response=response)
    return [item for item in found if isinstance(item, dict)]


def next_cursor(response: Response | None) -> str | None:
    """The cursor inside `links.next`, which is a whole URL."""
    links = _body(response).get("links")
    following = links.get("next") if isinstance(links, Mapping) else None
    found = parse_qs(urlsplit(following).query).get("page[cursor]") if isinstance(following, str) else None
    return found[0] if found else None


def expect(response: Response | None, status: int | None) -> None:
    """Raises Unreadable for a success with another status than Klaviyo's: something in between has answered."""
    if response is not None and status is not None and response.status != status:
        raise Unreadable(
            f"The answer is {response.status} where Klaviyo answers {status}.", response=response, unknown=True
        )


def _body(response: Response | None) -> Mapping[str, Any]:
    body = response.json() if response is not None else None
    return body if isinstance(body, dict) else {}
