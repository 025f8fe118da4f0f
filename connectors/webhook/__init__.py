"""A webhook of your own as a destination: each record as a signed POST, by the rules of Standard Webhooks."""
