"""Finds connectors and mapping files; keeps connections, the configured sources and destinations.

In: folders, entry points, operator changes. Out: connector instances and connections.
Keeps: `connection` (secrets sealed) and `api_key` (hashed).
"""
