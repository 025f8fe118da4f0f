"""The web application: what granian serves, built from the environment."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from functools import partial
from typing import Any

from flask import Blueprint, Flask

from hub.api import access, errors, paths
from hub.api.services import EXTENSION, Services
from hub.core import exposition, logging
from hub.core.settings import Settings
from hub.imports.uploads import UPLOADS, Uploads
from hub.inbox.sql import open_inbox
from hub.runtime.erasing.requested import RememberedErasures
from hub.runtime.live.connections import LiveConnections
from hub.runtime.process.installation import Installation
from hub.runtime.process.lifeline import at_end, watch_parent


def create() -> Any:
    """The WSGI application of one web worker process."""
    settings = Settings()
    logging.configure(settings, "web")
    exposition.prepare(settings)
    watch_parent()
    hub = Installation(settings)
    inbox = open_inbox(settings, hub.engine)
    at_end(inbox.close)
    _leave_heartbeats(hub)
    live = LiveConnections(hub)
    live.snapshot()  # loads the connectors in use before anybody is told that the hub is ready
    app = build(Services(hub, inbox, live))
    uploads = app.extensions[UPLOADS]
    at_end(uploads.close)
    uploads.wake()  # an earlier process may have left some
    return app


def build(services: Services) -> Flask:
    """The Flask app over opened services; tests build it over their own."""
    from hub.api.doors import mount
    from hub.inbox.accept import Door

    app = Flask("hub.app", static_folder=None)
    app.extensions[EXTENSION] = services
    app.extensions[UPLOADS] = Uploads(services.hub, services.inbox)
    app.config["MAX_CONTENT_LENGTH"] = services.hub.settings.inflated_limit
    errors.install(app)
    paths.install(app)
    access.install(app)
    for blueprint in blueprints():
        app.register_blueprint(blueprint)
    remembered = RememberedErasures(services.hub)
    door = Door(services.inbox, services.source, services.hub.settings, remembered, latest=services.latest_source)
    app.wsgi_app = mount(app.wsgi_app, door, services.hub.settings.web_threads)  # type: ignore[method-assign,assignment]  # Flask's documented way to wrap an app
    return app


def blueprints() -> Sequence[Blueprint]:
    """Every resource under `/hub/v1`, and health; the reference is written from them."""
    from hub.api.connections import connections
    from hub.api.erasures import erasures
    from hub.api.health import health
    from hub.api.imports import imports
    from hub.api.instructions import instructions
    from hub.api.ledger import ledger
    from hub.api.mappings import mappings
    from hub.api.messages import messages
    from hub.api.products import products
    from hub.api.schemas import schemas
    from hub.api.syncs import syncs

    return (
        health,
        connections,
        erasures,
        imports,
        instructions,
        ledger,
        mappings,
        messages,
        products,
        schemas,
        syncs,
    )


def _leave_heartbeats(hub: Installation) -> None:
    from hub.runtime.process.heartbeat import heartbeats
    from hub.runtime.process.report import report_of

    restart = partial(os.kill, os.getppid(), signal.SIGTERM)  # the server this worker serves
    alive = heartbeats(hub.engine, "web", restart, partial(report_of, hub))
    alive.__enter__()
    at_end(partial(alive.__exit__, None, None, None))
