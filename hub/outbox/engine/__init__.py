"""The deliver process at work: one loop for the database, lanes per connection, workers for calls."""
