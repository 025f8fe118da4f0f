"""The counters of /metrics. What a table can tell is read from the tables instead."""

from __future__ import annotations

from prometheus_client import Counter

ACCEPTED = Counter("hub_messages_accepted", "Messages on disk before their sender was answered.")
REFUSED = Counter("hub_requests_refused", "Requests that were not taken, by reason.", ["reason"])
APPLIED = Counter("hub_messages_applied", "Messages that left the inbox, by what became of them.", ["state"])
CALLS = Counter("hub_vendor_calls", "Calls to vendors, by how they ended.", ["connection", "outcome"])
DELIVERIES = Counter("hub_deliveries", "Outcomes of deliveries, one per attempt.", ["connection", "outcome"])

MESSAGE_STATES = ("applied", "ignored", "quarantined", "duplicate")
