"""Profiles: order-free merge of changes, identities, events, orders, consents, links, erasure.

In: changes a mapping made of messages, a batch at a time, within the caller's transaction. Out: views of profiles for
outbound mappings, their public JSON, pages of an audience, consent at send time.
Keeps: `profile`, `identity`, `event`, `customer_order`, `consent`, `profile_link`, `tombstone`, `metadata_schema`; and of
requests to erase `erasure`, `erasure_callback`.
"""
