"""Klaviyo as a destination: profiles, events, messages by metric-triggered flows, erasure."""
