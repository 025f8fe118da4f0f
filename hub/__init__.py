"""Switchboard: a plugin-based hub between customer data platforms and engagement platforms."""

__version__ = "0.1.0"
