"""Text that callers give, checked."""

from __future__ import annotations

from gateway.core.errors import Invalid


def clean_text(value: str | None, field: str, most: int = 256) -> str | None:
    """``value`` without surrounding blanks; raises Invalid for control characters, surrogates or length."""
    if value is None:
        return None
    value = value.strip()
    if len(value) > most:
        raise Invalid(f"{field} is longer than {most} characters", field=field, fix=f"shorten {field}")
    if any(ord(char) < 32 or ord(char) == 127 or 0xD800 <= ord(char) < 0xE000 for char in value):
        raise Invalid(
            f"{field} holds a line break or another control character", field=field, fix=f"correct {field}"
        )
    return value
