"""Mapping files: data only. A package so that they ship inside the wheel."""
