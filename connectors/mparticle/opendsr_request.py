"""What an OpenDSR request says: its id, whom it names, whether it waits, and where its callbacks go.

Shapes: opengdpr/OpenDSR, specification.md (read 2026-11), and mParticle's version 3 of it (developers/dsr-api/v3).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from connectors.mparticle.messages import text
from hub.sdk.errors import PayloadInvalid
from hub.sdk.values import Json

EXTENSION: Final = "opendsr.mparticle.com"
CALLBACKS: Final = "status_callback_urls"
MOST_CALLBACKS: Final = 10
LONGEST_URL: Final = 2_048
LONGEST_ID: Final = 255


def checked_id(value: Mapping[str, Any]) -> str:
    """The id of a request to erase. Raises PayloadInvalid for any other."""
    kind, request_id = value.get("subject_request_type"), value.get("subject_request_id")
    if kind != "erasure":
        raise PayloadInvalid(
            f"The hub takes requests of the type erasure, not {kind!r}; use its API for access and export."
        )
    if not isinstance(request_id, str) or not 0 < len(request_id) <= LONGEST_ID or "/" in request_id:
        raise PayloadInvalid(f"subject_request_id is a text of 1 to {LONGEST_ID} characters, best a UUID.")
    return request_id


def named(value: Mapping[str, Any]) -> dict[str, Json]:
    """`subject_identities` by type. Raises PayloadInvalid where nobody is named in a way that finds them here."""
    found = _identities(value.get("subject_identities"))
    if not any(map(_is_raw, [*found.values(), *_inner(value).values()])):
        raise PayloadInvalid(
            'The request names nobody; subject_identities is an object such as {"email": {"value": ..., "encoding": "raw"}}, '
            "and a hashed value finds no one here."
        )
    return found


def skips_waiting(value: Mapping[str, Any]) -> bool:
    """The documentation has it at the top, its example in the extension."""
    return any(one.get("skip_waiting_period") is True for one in (value, _extension(value)))


def callbacks(value: Mapping[str, Any], allowed: Sequence[str]) -> tuple[str, ...]:
    """Where to tell of changes. What cannot be told is refused now, when the sender can still correct it.

    Raises PayloadInvalid.
    """
    urls = value.get(CALLBACKS) or []
    if not isinstance(urls, list) or len(urls) > MOST_CALLBACKS:
        raise PayloadInvalid(f"{CALLBACKS} is a list of at most {MOST_CALLBACKS} URLs.")
    for url in urls:
        origin = _origin(url)
        if origin is None or not (origin in allowed if allowed else origin.startswith("https://")):
            where = " of one of the origins in opendsr_callback_origins" if allowed else ""
            raise PayloadInvalid(f"A status callback goes to an https URL{where}; correct {CALLBACKS}.")
    return tuple(dict.fromkeys(urls))


def _identities(given: Json) -> dict[str, Json]:
    """By type. Versions 1 and 2 of OpenDSR have a list, which may not name two of a type: one would be lost."""
    if not isinstance(given, list):
        return given if isinstance(given, dict) else {}
    found: dict[str, Json] = {}
    for one in given:
        kind = text(one.get("identity_type")) if isinstance(one, dict) else None
        if kind is None:
            continue
        if kind in found:
            raise PayloadInvalid(f"The request names two identities of the type {kind}; send a request for each.")
        found[kind] = {"value": one.get("identity_value"), "encoding": one.get("identity_format")}
    return found


def _extension(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """What mParticle adds to the standard."""
    extensions = value.get("extensions")
    extension = extensions.get(EXTENSION) if isinstance(extensions, dict) else None
    return extension if isinstance(extension, dict) else {}


def _inner(value: Mapping[str, Any]) -> Mapping[str, Any]:
    identities = _extension(value).get("subject_identities")
    return identities if isinstance(identities, dict) else {}


def _is_raw(identity: Json) -> bool:
    return isinstance(identity, dict) and identity.get("encoding") == "raw" and text(identity.get("value")) is not None


def _origin(url: Json) -> str | None:
    """`https://host:port` of a URL that can be called; None for any other."""
    if not isinstance(url, str) or len(url) > LONGEST_URL or not url.isascii() or not url.isprintable():
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or " " in url:
        return None
    return f"{parts.scheme}://{parts.hostname}" + (f":{port}" if port else "")
