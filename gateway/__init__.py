"""Postern's gateway: HTTP in front of a real mail server, for programs that live by email."""

__version__ = "0.1.0"
