"""/hub/v1/messages: what came in, what it means, what it caused."""

from __future__ import annotations

from dataclasses import replace

from flask import Blueprint, Response, g, jsonify, request
from sqlalchemy import Connection as Database

from hub.admin.dismissals import dismiss_messages
from hub.admin.filters import NAMES, Asked, connection_id, filter_of
from hub.admin.ids import MessageKey, find_message, messages_named
from hub.admin.messages import message_page, preview_message
from hub.admin.replays import replay_messages
from hub.admin.sync_log import MESSAGE_STATES, shown_messages
from hub.api.bodies import DismissBody, MessagesBody, PreviewBody, ReplayMessagesBody
from hub.api.body import PAGED, asked, cursor_text, expect_query, flag, limit, message_cursor, one_of, read_body
from hub.api.errors import ApiError, not_found
from hub.api.services import services
from hub.core import clock
from hub.core.database import read
from hub.inbox import seen
from hub.inbox.values import MessageFilter

messages = Blueprint("messages", __name__, url_prefix="/hub/v1/messages")


@messages.get("")
def list_() -> Response:
    """?status=&connection=&reason=&source_id=&text=&since=&until=&message_id=&warned=&cursor=&limit=, newest first;
    `state` is another word for status."""
    expect_query("state", "message_id", "warned", *NAMES, *PAGED)
    hub, most = services().hub, limit()
    with read(hub.engine) as database:
        wanted = filter_of(
            MessageFilter,
            hub,
            database,
            asked(one_of("status", MESSAGE_STATES) or one_of("state", MESSAGE_STATES)),
            "source",
            message_id=request.args.get("message_id"),
            is_warned=flag("warned"),
        )
        rows = seen.page(database, wanted, message_cursor(), most + 1, newest_first=True)
        shown = shown_messages(database, rows[:most])
    following = cursor_text(rows[most - 1].cursor) if len(rows) > most else None
    return jsonify(messages=shown, next_cursor=following)


@messages.get("/<text:message_id>")
def show(message_id: str) -> Response:
    """?connection=, where several sources use one id: body, canonical result with lineage, warnings, what it caused."""
    expect_query("connection")
    hub = services().hub
    with read(hub.engine) as database:
        return jsonify(
            message_page(hub, database, _key(database, message_id, request.args.get("connection")), clock.now())
        )


@messages.post("/preview")
def preview() -> Response:
    """{id, connection, destination}: what it would send if it came now; nothing is sent."""
    body, hub = read_body(PreviewBody), services().hub
    with read(hub.engine) as database:
        key = _key(database, body.id, body.connection)
    return jsonify(preview_message(hub, key, body.destination))


@messages.post("/dismiss")
def dismiss() -> Response:
    """{because, ids, connection, reason, source_id, text, since, until, warned, dry_run}: out of quarantine, unapplied."""
    body = read_body(DismissBody)
    if not body.ids and not body.warned and body.asked() == Asked():
        raise ApiError(400, "missing_field", "Name messages by 'ids', or give a filter such as 'reason' or 'since'.")
    wanted = _wanted(body, None)
    done = dismiss_messages(services().hub, wanted, body.because, clock.now(), g.actor, is_dry=body.dry_run)
    return jsonify(done)


@messages.post("/replay")
def replay() -> tuple[Response, int]:
    """{ids, status, connection, reason, source_id, text, since, until, warned, dry_run}: apply again; sends nothing. The
    status is quarantined unless told otherwise; with ids, whatever it is."""
    body = read_body(ReplayMessagesBody)
    wanted = _wanted(body, body.status or (None if body.ids else "quarantined"))
    done = replay_messages(services().hub, wanted, clock.now(), g.actor, is_dry=body.dry_run)
    return jsonify(done), 202


def _key(database: Database, message_id: str, connection: str | None) -> MessageKey:
    source = connection_id(services().hub, database, connection, "source") if connection else None
    found = find_message(database, message_id, source)
    if found is None:
        raise not_found("message", message_id)
    return found


def _wanted(body: MessagesBody, status: str | None) -> MessageFilter:
    hub = services().hub
    with read(hub.engine) as database:
        asked_ = replace(body.asked(), status=status)
        wanted = filter_of(MessageFilter, hub, database, asked_, "source", is_warned=body.warned)
        return replace(wanted, keys=messages_named(database, body.ids, wanted.connection_id))
