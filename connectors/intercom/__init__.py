"""Intercom as a destination. Set-up for operators: docs/connectors/intercom.md."""
