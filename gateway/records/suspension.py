"""Why an inbox or a pod may not send for the time being."""

from __future__ import annotations

from typing import Literal, get_args

Reason = Literal["high_bounce_rate", "high_complaint_rate", "abuse", "pod_degraded", "manual_review", "other"]
REASONS: tuple[Reason, ...] = get_args(Reason)
