"""The DNS records a mail domain needs, asking DNS whether they are published, and a zone that has them.

``record``: what one is. ``needed``: which ones a domain needs, from the facts about this machine (``Site``).
``judging``: whether what DNS has does what is needed, record by record. ``checker``: asking. ``zone``: the
master file. ``mta_sts``: the policy that goes with its record. ``addresses``: this machine's own.
"""

from mailserver.dns.checker import Checker, ResolverSettings
from mailserver.dns.needed import Service, Site, further_records, records_for
from mailserver.dns.record import Record, RecordStatus

__all__ = [
    "Checker",
    "Record",
    "RecordStatus",
    "ResolverSettings",
    "Service",
    "Site",
    "further_records",
    "records_for",
]
