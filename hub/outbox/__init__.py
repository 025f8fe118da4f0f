"""The second durable queue: deliveries waiting to be sent, and everything between a claim and its outcome.

In: decided deliveries (`store.insert`), profile views, mappings, connections. Out: vendor calls, attempts, dead letters.
Keeps: `delivery`, `pushed` (hashes of what a vendor last accepted) and `remembered` (vendor ids).
"""
