"""Batch (batch.com), a destination."""
