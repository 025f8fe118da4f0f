"""The kit for connector authors: simulators, the contract suite and a small sender. Ships with the hub.

In: a connector's folder. Out: a simulated vendor over real HTTP (`simulator`, `sender`), named checks (`suite`), cases
(`cases`) and a bench to try a destination on (`bench`). Keeps: nothing; a simulator keeps what it was sent in memory.
"""
