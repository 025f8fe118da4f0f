"""/hub/v1/messages: what came in, what it means, what it caused."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, request

from hub.admin.filters import NAMES, filter_of
from hub.admin.sync_log import MESSAGE_STATES, shown_messages
from hub.api.body import PAGED, asked, cursor_text, expect_query, flag, limit, message_cursor, one_of
from hub.api.services import services
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
