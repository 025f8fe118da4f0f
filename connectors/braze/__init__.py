"""Braze as a destination: profiles and events through /users/track, messages through campaigns and Canvases."""
