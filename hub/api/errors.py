"""Every error answer is JSON: {code, key, message, details, request_id}. No HTML, and no 500 for bad input."""

from __future__ import annotations

from typing import Any

from flask import Flask, Response, g, jsonify
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from hub.core.database import is_passing, is_unfit
from hub.core.ids import new_id
from hub.core.logging import logger
from hub.sdk.errors import ConfigurationError, InboundError

_SHOWN_CHARS = 100


class ApiError(Exception):
    """An answer that is not a success. `details` says where, never a secret or a person's data."""

    def __init__(self, status: int, key: str, message: str, details: Any = None) -> None:
        super().__init__(message)
        self.status, self.key, self.message, self.details = status, key, message, details


def not_found(what: str, which: str) -> ApiError:
    return ApiError(404, "not_found", f"There is no {what} {which[:_SHOWN_CHARS]!r}.")


def answer(status: int, key: str, message: str, details: Any = None) -> Response:
    """The one shape of an error."""
    response = jsonify(code=status, key=key, message=message, details=details, request_id=request_id())
    response.status_code = status
    return response


def request_id() -> str:
    """The id of this request, the same in the answer and in the log."""
    if "request_id" not in g:
        g.request_id = new_id()
    found: str = g.request_id
    return found


def install(app: Flask) -> None:
    """Turn every exception of a handler into such an answer."""

    @app.errorhandler(ApiError)
    def api_error(error: ApiError) -> Response:
        return answer(error.status, error.key, error.message, error.details)

    @app.errorhandler(ConfigurationError)
    def configuration_error(error: ConfigurationError) -> Response:
        return answer(400, "invalid", str(error))

    @app.errorhandler(InboundError)
    def inbound_error(error: InboundError) -> Response:
        return answer(error.status, error.key, str(error))

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response:
        key = (error.name or "error").lower().replace(" ", "_")
        response = answer(error.code or 500, key, error.description or error.name or "")
        if isinstance(error, MethodNotAllowed) and error.valid_methods:
            response.headers["Allow"] = ", ".join(sorted(error.valid_methods))
        return response

    @app.errorhandler(Exception)
    def defect(error: Exception) -> Response:
        if is_passing(error):
            logger("api").warning("store is busy", why=type(error).__name__, request=request_id())
            response = answer(503, "busy", "The database is busy or away; try again shortly.")
            response.headers["Retry-After"] = "2"
            return response
        if is_unfit(error):
            return answer(
                400, "invalid", "A value is too long or too large, or holds characters that no database stores."
            )
        logger("api").error("defect", exc_info=error, request=request_id())
        return answer(500, "defect", "A defect of the hub; its log has the details under this request_id.")
