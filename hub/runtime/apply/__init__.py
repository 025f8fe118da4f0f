"""Applying messages: the loop over the inbox, one batch as one transaction, and stored messages again."""
