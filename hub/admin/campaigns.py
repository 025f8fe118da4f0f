"""Campaigns and their codes: what CLI and API both do. Every change keeps codes = free + published + retired."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection as Database

from hub.campaigns import rules, store
from hub.campaigns.values import Campaign, Imported
from hub.core.clock import Micros
from hub.distributions import store as distributions
from hub.ledger.store import record_audit
from hub.sdk.errors import ConfigurationError


def existing(database: Database, name: str) -> Campaign:
    """The campaign of this name or id. Raises ConfigurationError."""
    campaign = store.find(database, name)
    if campaign is None:
        raise ConfigurationError(f"There is no campaign {name!r}; `hub campaigns list` shows those there are.")
    return campaign


def import_codes(
    database: Database, now: Micros, campaign: Campaign, codes: Sequence[str], actor: str, most_bad: int | None = None
) -> Imported:
    """Add codes to an imported campaign. Raises ConfigurationError where most are no codes (see `rules.is_rubbish`)."""
    good, rejected = rules.sort_out(codes)
    bad = {code: why for code, why in rejected.items() if code not in set(good)}
    if rules.is_rubbish(len(bad), len(good) + len(bad), most_bad):
        code, why = next(iter(bad.items()))
        raise ConfigurationError(
            f"{len(bad):,} of {len(good) + len(bad):,} lines cannot be codes, so none was imported. The first is {code!r}:"
            f" {why} To import the others all the same, say --max-bad 100."
        )
    done = store.import_codes(database, campaign, codes)
    record_audit(database, now, actor, "codes.imported", campaign.name, {"id": campaign.id, "added": done.added})
    return done


def retire(database: Database, now: Micros, campaign: Campaign, actor: str) -> int:
    """End a campaign for good; how many free codes that retired. What people have stays valid."""
    if campaign.retired_at is not None:
        raise ConfigurationError(f"The campaign {campaign.name!r} is retired already.")
    codes = store.retire_campaign(database, campaign.id, now)
    _note(database, now, actor, "campaign.retired", campaign, codes)
    return codes


def remove(database: Database, now: Micros, campaign: Campaign, actor: str) -> int:
    """Forget a campaign that gave nobody a code; how many codes went with it. Raises ConfigurationError."""
    if users := distributions.drawing(database, campaign.id):
        raise ConfigurationError(
            f"The distribution {users[0]!r} publishes codes of {campaign.name!r}; remove that first."
        )
    distributions.forget_campaign(database, campaign.id)
    codes = store.remove(database, campaign)
    _note(database, now, actor, "campaign.removed", campaign, codes)
    return codes


def retire_codes(database: Database, now: Micros, campaign: Campaign, codes: Sequence[str], actor: str) -> int:
    """Take codes out of use for good, free or published; how many changed. Raises ConfigurationError."""
    _expect_own(database, campaign, codes)
    done = store.retire(database, codes)
    _note(database, now, actor, "codes.retired", campaign, done)
    return done


def remove_codes(database: Database, now: Micros, campaign: Campaign, codes: Sequence[str] | None, actor: str) -> int:
    """Forget free codes, those named or all; how many. Raises ConfigurationError for one that is not free."""
    if codes is not None:
        _expect_own(database, campaign, codes)
    done = store.remove_free(database, campaign.id, codes)
    if codes is not None and done < len(set(codes)):
        raise ConfigurationError(
            f"{len(set(codes)) - done} of these codes are not free, so none was removed;"
            f" `hub campaigns codes retire {campaign.name}` takes published ones out of use."
        )
    _note(database, now, actor, "codes.removed", campaign, done)
    return done


def _expect_own(database: Database, campaign: Campaign, codes: Sequence[str]) -> None:
    found = store.owners(database, sorted(set(codes)))
    strange = next((code for code in codes if found.get(code) != campaign.name), None)
    if strange is not None:
        raise ConfigurationError(f"The campaign {campaign.name!r} has no code {strange!r}, so nothing has changed.")


def _note(database: Database, now: Micros, actor: str, action: str, campaign: Campaign, codes: int) -> None:
    detail: dict[str, Any] = {"id": campaign.id, "codes": codes}
    record_audit(database, now, actor, action, campaign.name, detail)
