"""Erasing people: everywhere in one transaction (`person`), as sources and operators ask (`requested`), followed to the end
at every destination (`watch`), and told to whoever wants to know (`callbacks`).

In: a source_id, or a request from a source. Out: erase deliveries, callbacks. Keeps: nothing of its own; requests stand in
`erasure` and `erasure_callback` (hub/profiles).
"""
