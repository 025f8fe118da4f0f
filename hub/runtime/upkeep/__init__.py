"""Looking after what is stored: retention, the backlog, backups, and the equations of the ledger."""
