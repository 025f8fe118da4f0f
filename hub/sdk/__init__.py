"""The connector contract: the only package of the hub that a connector may import.

In: nothing of the hub. Out: what sources and destinations are (`contract`), the values they exchange (`values`), the
errors (`errors`), JSON as senders write it (`json`), and the kit for connector authors (`kit`). Keeps: nothing.
"""
