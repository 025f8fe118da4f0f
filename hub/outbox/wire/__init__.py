"""The only place that speaks to vendors: HTTP, Kafka, bearer tokens, and what may be shown of it."""
