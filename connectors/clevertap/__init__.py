"""CleverTap as a destination: uploads of 1,000 mixed records, external triggers, subscriptions and deletions."""
