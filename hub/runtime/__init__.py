"""The roles (web, apply, deliver, schedule), their supervisor, and what composes rooms into batches and loops.

In: settings. Out: running processes. Keeps: nothing of its own.
"""
