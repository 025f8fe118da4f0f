"""Which failures are not defects, and the sentence for each."""

from __future__ import annotations

import errno

from pydantic import ValidationError

from hub.core.database import is_passing, is_unfit
from hub.core.settings import Settings
from hub.sdk.errors import HubError


def sentence(error: Exception) -> str | None:
    """What to tell the operator; None for a defect."""
    if isinstance(error, HubError):
        return str(error)
    if isinstance(error, ValidationError) and error.title == Settings.__name__:
        first = error.errors(include_input=False, include_url=False)[0]
        name = "HUB_" + "_".join(map(str, first["loc"])).upper()
        return f"{name} is not usable: {first['msg'][:1].lower()}{first['msg'][1:]}; `hub settings` describes it."
    if isinstance(error, ModuleNotFoundError) and error.name == "psycopg":
        return "HUB_DATABASE_URL needs the PostgreSQL driver; install switchboard-hub[postgres]."
    if is_passing(error):
        return f"The database is busy or cannot be reached ({type(error).__name__}); `hub doctor` looks closer."
    if is_unfit(error):
        return "A value that was given is too long or too large, or holds characters that no database stores; nothing was changed."
    if isinstance(error, OSError) and error.errno != errno.EPIPE:
        return f"{error.strerror or type(error).__name__}: {error.filename or 'see HUB_DATA_DIR'}."
    return None
