"""A vendor in memory behind real HTTP: destinations that validate, sources that send, a broker, and the sandbox's page."""
