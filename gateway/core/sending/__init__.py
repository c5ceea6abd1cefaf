"""Sending: what may be sent, composing replies, the queue, and what becomes of a sender's reputation."""
