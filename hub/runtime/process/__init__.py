"""What every process needs, whatever its role: the installation it opens, its lifeline, heartbeat, locks and side threads."""
