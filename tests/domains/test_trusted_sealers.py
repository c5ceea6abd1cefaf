"""``mail.trusted_sealers`` takes domains only, in any spelling."""

from __future__ import annotations

import pytest

from gateway.configuration import BadSettings
from gateway.settings import Mail, Settings
from gateway.trusted_sealers import trusted_sealers


def test_sealers_are_domains() -> None:
    settings = Settings(mail=Mail(trusted_sealers=["Lists.Example.ORG", "bücher.example"]))
    assert trusted_sealers(settings) == ("lists.example.org", "xn--bcher-kva.example")


@pytest.mark.parametrize("wrong", ["", "a b.example", "list@example.org", "*.example.org"])
def test_anything_else_is_refused_by_name(wrong: str) -> None:
    with pytest.raises(BadSettings, match=r"mail\.trusted_sealers takes domains such as"):
        trusted_sealers(Settings(mail=Mail(trusted_sealers=[wrong])))
