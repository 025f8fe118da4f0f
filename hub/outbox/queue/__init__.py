"""The queue of deliveries in SQL: inserted, claimed, finished, and what operators order."""
