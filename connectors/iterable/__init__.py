"""Iterable, a destination."""
