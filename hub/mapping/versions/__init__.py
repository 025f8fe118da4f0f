"""Mapping files and their versions: found, hashed, stored, watched."""
