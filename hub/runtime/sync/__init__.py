"""Keeping destinations in step: what follows a merge, audiences and consents as deliveries, backfills."""
