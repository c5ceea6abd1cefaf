"""Drafts, which are the messages in a mailbox's Drafts folder."""
