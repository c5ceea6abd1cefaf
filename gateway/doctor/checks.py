"""The checks, in the order they are printed."""

from __future__ import annotations

from gateway.doctor import (
    checks_blocklists,
    checks_database,
    checks_dns,
    checks_files,
    checks_machine,
    checks_ports,
    checks_queue,
    checks_round_trip,
    checks_service,
    checks_tls,
)
from gateway.doctor.run_checks import Check

CHECKS: tuple[Check, ...] = (
    Check("gateway", checks_service.gateway),
    Check("milter", checks_service.milter),
    Check("ports", checks_ports.listening),
    Check("outbound", checks_ports.outbound),
    Check("tls", checks_tls.certificates),
    Check("certificates", checks_files.certificate_files),
    Check("dns", checks_dns.domains, 60),
    Check("hostname", checks_dns.hostname),
    Check("postmaster", checks_dns.postmaster),
    Check("clock", checks_machine.clock),
    Check("disk", checks_machine.disk),
    Check("database", checks_database.database, 60),
    Check("outbox", checks_queue.outbox),
    Check("postfix", checks_queue.postfix),
    Check("webhooks", checks_queue.webhooks),
    Check("secrets", checks_files.secrets),
    Check("round-trip", checks_round_trip.round_trip, 60),
    Check("blocklists", checks_blocklists.blocklists, optional=True),
)
