"""Dry runs: what messages would send, with nothing stored and nobody called.

In: messages and mapping files. Out: the exact vendor requests. Keeps: nothing.
"""
