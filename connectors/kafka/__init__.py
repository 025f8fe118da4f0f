"""Kafka as a destination, each record a message of a topic acknowledged by all in-sync replicas, and as a source."""
