"""Occasions of distributions: opened when they are due, decided chunk by chunk."""
