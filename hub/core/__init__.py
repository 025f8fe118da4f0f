"""Settings, clock, ids, the database engine, secrets, logging and metrics: what every room stands on.

In: the environment. Out: engines, times, ids, ciphers. Keeps: nothing of its own.
"""
