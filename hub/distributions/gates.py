"""What may keep a person from getting something of a distribution: each gate has a reason. Pure."""

from __future__ import annotations

from hub.distributions.values import Recipient

DISABLED, ERASED, UNKNOWN, NO_CONSENT = "disabled", "erased", "unknown_profile", "no_consent"


def gate(recipient: Recipient, consent: str, is_enabled: bool) -> str:
    """Why this person gets nothing, or '' if nothing stands in the way."""
    if recipient.is_erased:
        return ERASED
    if not recipient.is_known:
        return UNKNOWN
    if not is_enabled:
        return DISABLED
    if consent and recipient.consents.get(consent) is not True:
        return NO_CONSENT
    return ""
