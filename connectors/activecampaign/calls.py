"""ActiveCampaign's calls, as requests (developers.activecampaign.com/reference).

The account takes five calls a second over all of its API, so every call draws on that one pool.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from hub.sdk.json import dumps
from hub.sdk.values import EMPTY, Json, Request, Secret

API: Final = "/api/3"
PAGE: Final = 100
"""Rows of a page at most; without `limit` there are 20 (pagination)."""
KEPT_S: Final = 600.0
"""How long lists of fields, tags and event names are believed."""
ACCOUNT: Final = ("account",)
IMPORTS: Final = ("account", "imports")
SINGLE_IMPORTS: Final = ("account", "single_imports")


def me() -> Request:
    return _get("/users/me")


def sync(contact: Json) -> Request:
    return _post("/contact/sync", {"contact": contact})


def update(contact_id: str, contact: Json) -> Request:
    return Request("PUT", f"{API}/contacts/{_id(contact_id)}", json={"contact": contact}, pools=ACCOUNT)


def find(email: str) -> Request:
    return _get("/contacts", {"email": email, "limit": PAGE})


def delete_contact(contact_id: str) -> Request:
    return Request("DELETE", f"{API}/contacts/{_id(contact_id)}", pools=ACCOUNT)


def bulk_import(contacts: Sequence[Json], *, is_quiet: bool) -> Request:
    """A request that holds one contact has a limit of its own (bulk-import-contacts).

    The vendor's example puts `exclude_automations` into a contact, its prose into the payload; it goes to both.
    """
    quiet = {"exclude_automations": True} if is_quiet else {}
    body = {"contacts": [{**contact, **quiet} for contact in contacts], **quiet}
    return Request("POST", f"{API}/import/bulk_import", json=body, pools=IMPORTS if contacts[1:] else SINGLE_IMPORTS)


def import_info(batch_id: str) -> Request:
    return _get("/import/info", {"batchId": batch_id})


def fields(offset: int) -> Request:
    return _page("/fields", offset, keep=f"fields/{offset}")


def create_field(title: str, perstag: str, kind: str, stale: Sequence[str]) -> Request:
    field = {"type": kind, "title": title, "perstag": perstag, "visible": 1, "ordernum": 1}
    return _post("/fields", {"field": field}, stale)


def show_field(field_id: str) -> Request:
    """Without a relation a new field shows up nowhere; 0 is all lists (contact-custom-fields-api-guide)."""
    number = int(field_id) if field_id.isdecimal() else field_id
    return _post("/fieldRels", {"fieldRel": {"field": number, "relid": 0}})


def tags(name: str, offset: int, *, is_fresh: bool = False) -> Request:
    """Tags whose name contains this one."""
    return _page("/tags", offset, {"search": name}, keep="" if is_fresh else f"{tags_key(name)}/{offset}")


def tags_key(name: str) -> str:
    """The beginning of the names under which the pages of tags are kept."""
    return f"tags/{name.casefold()}"


def create_tag(name: str, stale: Sequence[str]) -> Request:
    return _post("/tags", {"tag": {"tag": name, "tagType": "contact", "description": ""}}, stale)


def tags_of(contact_id: str, offset: int) -> Request:
    return _page(f"/contacts/{_id(contact_id)}/contactTags", offset)


def add_tag(contact_id: str, tag_id: str) -> Request:
    return _post("/contactTags", {"contactTag": {"contact": contact_id, "tag": tag_id}})


def remove_tag(contact_tag_id: str) -> Request:
    return Request("DELETE", f"{API}/contactTags/{_id(contact_tag_id)}", pools=ACCOUNT)


def lists_of(contact_id: str, offset: int) -> Request:
    return _page(f"/contacts/{_id(contact_id)}/contactLists", offset)


def set_list(contact_id: str, list_id: str, status: str, *, is_again: bool) -> Request:
    """Status "1" subscribes, "2" unsubscribes; source 4 marks a new subscription after an old one ended."""
    told = {"list": list_id, "contact": contact_id, "status": status} | ({"sourceid": 4} if is_again else {})
    return _post("/contactLists", {"contactList": told})


def start_automation(contact_id: str, automation_id: str) -> Request:
    return _post("/contactAutomations", {"contactAutomation": {"contact": contact_id, "automation": automation_id}})


def event_tracking() -> Request:
    return _get("/eventTracking")


def event_names(offset: int) -> Request:
    return _page("/eventTrackingEvents", offset, keep=f"events/{offset}")


def pages(name: str, count: int) -> list[str]:
    """Under which names the pages of a list with so many rows are kept, the one after the last included."""
    return [f"{name}/{offset}" for offset in range(0, count + PAGE, PAGE)]


def create_event(name: str, stale: Sequence[str]) -> Request:
    return _post("/eventTrackingEvents", {"eventTrackingEvent": {"name": name}}, stale)


def track(actid: str, key: Secret, name: str, eventdata: str, email: str) -> Request:
    """A tracked event (track-event). The key is a form field, and there is no field for a time."""
    form = {"actid": actid, "key": key, "event": name, "visit": dumps({"email": email}).decode()}
    return Request(
        "POST", "/event", host="events", form={**form, "eventdata": eventdata} if eventdata else form, pools=ACCOUNT
    )


def _get(path: str, query: Mapping[str, Any] = EMPTY) -> Request:
    return Request("GET", API + path, query=query, pools=ACCOUNT)


def _page(path: str, offset: int, query: Mapping[str, Any] = EMPTY, keep: str = "") -> Request:
    asked = {**query, "limit": PAGE, "offset": offset}
    return Request("GET", API + path, query=asked, pools=ACCOUNT, cache_for_s=KEPT_S if keep else None, cache_key=keep)


def _post(path: str, body: Json, stale: Sequence[str] = ()) -> Request:
    return Request("POST", API + path, json=body, pools=ACCOUNT, forget=stale)


def _id(text: str) -> str:
    return quote(text, safe="")
