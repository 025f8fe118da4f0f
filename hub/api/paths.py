"""How paths are read: to the letter. The router makes no redirects, which would be HTML pages."""

from __future__ import annotations

from flask import Flask, Response, request
from werkzeug.routing import BaseConverter

from hub.api.errors import answer


class TextConverter(BaseConverter):
    """Anything to the end of the path, slashes included: a source_id may hold them."""

    regex = ".+"
    part_isolating = False


def install(app: Flask) -> None:
    """Before the routes are registered."""
    app.url_map.converters["text"] = TextConverter
    app.url_map.merge_slashes = False
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False

    @app.before_request
    def refuse_nul() -> Response | None:
        if "\0" in request.path:
            return answer(400, "invalid_path", "The path holds a NUL character.")
        return None
