"""Sources that are read instead of sending: their topics, and how far each partition was taken."""
