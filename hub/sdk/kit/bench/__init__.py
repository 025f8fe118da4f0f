"""The bench a destination is tried on: the connector, its simulator, and the little of the hub that both need."""
