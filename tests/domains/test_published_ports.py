"""DNS records and mail clients name the ports outside of a container or router."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.configuration import BadSettings, load_settings
from gateway.core.domains.records import services_of
from gateway.core.inboxes.client_settings import client_services
from gateway.mail_choice import make_mail_server
from gateway.published_ports import outside_port, outside_ports
from gateway.settings import Settings


def settings_with(**mail: Any) -> Settings:
    return load_settings(overrides={f"mail.{name}": value for name, value in mail.items()}, environ={})[0]


def test_records_and_clients_name_the_ports_outside() -> None:
    settings = settings_with(
        published_ports=["25:2525", "465:2465", "993:2993"],
        smtp_port=2525,
        submissions_port=2465,
        submission_port=2587,
        imap_port=2143,
        imaps_port=2993,
        tls_cert="/c",
        tls_key="/k",
    )
    assert {one.name: one.port for one in services_of(settings) if one.port} == {
        "_imaps": 993,
        "_submissions": 465,
    }
    told = [(one.kind, one.port, one.security) for one in client_services(settings)]
    assert told == [("imap", 993, "tls"), ("smtp", 465, "tls")]


def test_without_the_setting_the_ports_are_as_they_are() -> None:
    settings = settings_with(submission_port=587, imap_port=143)
    assert outside_ports(settings.mail) == {}
    assert outside_port(settings.mail, 2525) == 2525
    assert {one.name: one.port for one in services_of(settings) if one.port} == {
        "_imap": 143,
        "_submission": 587,
    }


@pytest.mark.parametrize("text", ["25", "25:", "a:b", "0:25", "25:70000", "25:2525/tcp", "1.2.3.4:25:2525"])
def test_what_is_no_pair_of_ports_is_refused_before_anything_starts(text: str, tmp_path: Any) -> None:
    with pytest.raises(BadSettings, match=r"mail\.published_ports takes OUTSIDE:INSIDE"):
        make_mail_server(settings_with(published_ports=[text]), tmp_path)
