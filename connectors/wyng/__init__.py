"""Wyng as a destination: profiles, audiences as a set, consent as fields, erasure; its events and messages have no API."""
