"""Structured logs on standard error: one event per line, never a secret, never a body."""

from __future__ import annotations

import logging
import sys

import structlog

from hub.core.settings import Settings


def configure(settings: Settings, role: str) -> None:
    """Set up structlog for this process; every line carries the role."""
    renderer = (
        structlog.processors.JSONRenderer()
        if settings.log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(settings.log_level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(role=role)


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger bound to the room that writes."""
    bound: structlog.stdlib.BoundLogger = structlog.get_logger(room=name)
    return bound
