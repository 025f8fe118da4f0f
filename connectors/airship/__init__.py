"""Airship: channels, named users, custom events and create-and-send."""
