"""config/alerts.yml: each alert is about metrics there are, and fires when what it is about happens, and only then."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.monitoring.names import ROOT, exposed_in, names_in

RULES = ROOT / "config" / "alerts.yml"
GROUPS = yaml.safe_load(RULES.read_text("utf-8"))["groups"]
ALERTS = {rule["alert"]: rule for group in GROUPS for rule in group["rules"]}

Series = dict[str, str]

CASES: dict[str, tuple[Series, Series]] = {
    # the series, minute by minute, that fire it; and some that are near it and do not
    "PosternDown": ({'up{job="postern"}': "0x60"}, {'up{job="postern"}': "1x60"}),
    "PosternPartDown": (
        {'postern_part_up{part="dovecot"}': "1 0x60", 'postern_part_up{part="database"}': "1x60"},
        {'postern_part_up{part="dovecot"}': "1x28 0 1x31"},
    ),
    "PosternDiskLow": (
        {'postern_disk_free_bytes{place="data"}': "3x60", 'postern_disk_floor_bytes{place="data"}': "1x60"},
        {'postern_disk_free_bytes{place="data"}': "5x60", 'postern_disk_floor_bytes{place="data"}': "1x60"},
    ),
    "PosternMailboxesStuck": (
        {"postern_stuck_mailboxes": "0 0 1x60"},
        {"postern_stuck_mailboxes": "0 1x3 0x60"},
    ),
    "PosternOutboxStuck": (
        {"postern_outbox_age_seconds": "0+60x90"},
        {"postern_outbox_age_seconds": "800x60"},
    ),
    "PosternQueueOld": (
        {"postern_mail_queue_oldest_seconds": "3700x60"},
        {"postern_mail_queue_oldest_seconds": "3500x60"},
    ),
    "PosternSyncLate": ({"postern_sync_lag_seconds": "31x60"}, {"postern_sync_lag_seconds": "5x60"}),
    "PosternCertificateEnds": (
        {"postern_certificate_expiry_seconds": "1000000x60"},
        {"postern_certificate_expiry_seconds": "2000000x60"},
    ),
    "PosternApiErrors": (
        {
            'postern_http_requests_total{status="200"}': "0+100x60",
            'postern_http_requests_total{status="503"}': "0+2x60",
        },
        {
            'postern_http_requests_total{status="200"}': "0+1000x60",
            'postern_http_requests_total{status="503"}': "0+2x60",
        },
    ),
    "PosternBounces": (
        # one process hands on, another hears of the bounces
        {
            'postern_sends_total{outcome="sent",instance="a"}': "0+10x60",
            'postern_sends_total{outcome="delivered",instance="b"}': "0+1x60",
            'postern_sends_total{outcome="bounced",instance="b"}': "0+1x60",
        },
        {
            'postern_sends_total{outcome="sent",instance="a"}': "0+100x60",
            'postern_sends_total{outcome="bounced",instance="b"}': "0+1x60",
        },
    ),
    "PosternWebhooksFail": (
        {
            'postern_webhook_attempts_total{outcome="delivered"}': "0+4x60",
            'postern_webhook_attempts_total{outcome="failed"}': "0+5x60",
        },
        {
            'postern_webhook_attempts_total{outcome="delivered"}': "0+6x60",
            'postern_webhook_attempts_total{outcome="failed"}': "0+5x60",
        },
    ),
}


def promtool() -> str:
    beside = Path(sys.executable).parent / "promtool"
    found = str(beside) if beside.exists() else shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is not there: scripts/test fetches it from Debian's package prometheus")
    return found


def evaluated(tmp_path: Path, name: str, series: Series, expected: bool) -> subprocess.CompletedProcess[str]:
    """What promtool says of an alert after half an hour of these series."""
    rule = ALERTS[name]
    alerts = []
    if expected:
        labels = dict(re.findall(r'(\w+)="([^"]*)"', next(iter(series))))
        annotations = {
            key: re.sub(r"{{ *\$labels\.(\w+) *}}", lambda found: labels[found[1]], text)
            for key, text in rule["annotations"].items()
        }
        kept = {} if "sum(" in rule["expr"] else labels  # a sum has none of its series' labels
        alerts.append({"exp_labels": {**kept, **rule["labels"]}, "exp_annotations": annotations})
    case = {
        "rule_files": [str(RULES)],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": one, "values": values} for one, values in series.items()],
                "alert_rule_test": [{"eval_time": "30m", "alertname": name, "exp_alerts": alerts}],
            }
        ],
    }
    path = tmp_path / f"{name}-{expected}.yml"
    path.write_text(json.dumps(case))  # JSON is YAML
    return subprocess.run(
        [promtool(), "test", "rules", str(path)], capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize("name", sorted(ALERTS))
def test_each_alert_fires_when_its_thing_happens(name: str, tmp_path: Path) -> None:
    assert name in CASES, "add the series that fire it, and some that do not"
    fires, does_not = CASES[name]
    for series, expected in ((fires, True), (does_not, False)):
        done = evaluated(tmp_path, name, series, expected)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_rules_are_well_formed() -> None:
    done = subprocess.run(
        [promtool(), "check", "rules", str(RULES)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_rule_of_the_manual_is_an_alert_and_has_words() -> None:
    assert {"PosternBounces", "PosternWebhooksFail"} <= set(ALERTS)
    for rule in ALERTS.values():
        assert rule["annotations"]["summary"]
        assert rule["labels"]["severity"] in ("page", "warn")


def test_every_alert_is_about_metrics_that_are_exposed(gateway: Any) -> None:
    """Also where there is no promtool."""
    told = {name for rule in ALERTS.values() for name in names_in(rule["expr"])}
    assert len(told) >= 8
    assert sorted(told - exposed_in(gateway)) == []
