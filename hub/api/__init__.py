"""The HTTP side of the hub: webhook doors, the operator API under /hub/v1, health and metrics.

In: HTTP. Out: JSON. Keeps: nothing.
"""
