"""Postern's gateway: HTTP in front of a real mail server, for programs that live by email."""

__version__: str


def __getattr__(name: str) -> str:
    """``__version__``, read when it is asked for: a command that does not need it starts faster."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from gateway.version import installed_build

    return installed_build().version
