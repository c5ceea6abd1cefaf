"""Webhooks and the log of events."""
