"""Rows of imported files as a source: `hub import`, and a door for systems that send rows instead of files."""
