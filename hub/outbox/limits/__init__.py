"""What a vendor account bears: rate windows, parallelism, and the circuit breaker of a connection."""
