"""Mailchimp as a destination. Set-up for operators: docs/connectors/mailchimp.md."""
