"""Connectors, one folder each. A folder dropped into HUB_CONNECTORS_PATH joins this package."""
