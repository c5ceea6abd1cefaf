"""Domains: adding and proving them, their DNS records and DKIM keys."""
