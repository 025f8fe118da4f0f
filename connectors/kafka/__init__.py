"""Kafka as a destination: each record as a message of a topic, acknowledged by all in-sync replicas."""
