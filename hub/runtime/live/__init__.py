"""What may change while roles run, re-read when it does: connections, mappings, metadata schemas."""
