"""Segment (Twilio Segment) as a source: webhook destinations and the HTTP Tracking API its client libraries speak."""
