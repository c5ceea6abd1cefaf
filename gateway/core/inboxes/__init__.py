"""Inboxes with their aliases, lists, rules and quotas."""
