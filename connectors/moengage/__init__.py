"""MoEngage: users and events in bulk, Inform alerts, the Push API, cohorts."""
