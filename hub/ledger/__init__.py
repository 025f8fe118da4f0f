"""The sync log: sync runs, attempts, audit. Every room writes here; it knows none of them.

In: what a batch, an occasion or a request did. Out: pages for operators, carried totals for the equations.
Keeps: `sync_run`, `attempt`, `attempt_record`, `audit`, `ledger_total`. Rows name deliveries, connections and
distributions by id only; personal data stands in an attempt's request, response and reasons alone, where `erase` finds it.
"""
