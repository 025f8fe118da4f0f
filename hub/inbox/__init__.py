"""Takes webhooks and keeps their messages until they are applied; remembers what became of each.

In: HTTP requests of sources (`accept.Door`), verified and decoded by their connector. Out: messages in batches
(`queue.Claim`), and the seen rows with their states (`seen`).
Keeps: `inbox_request`, `refusal` and `inbox_tally` (on SQLite in a file of their own, so that accepting never waits
for applying), and in the state database `message` and `inbox_position`.
"""
