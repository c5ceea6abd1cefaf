"""Running the checks: all at once, none longer than its deadline, none able to stop another."""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from gateway.doctor.context import NoDatabase, NoGateway, Scene
from gateway.doctor.development import applies, left_out
from gateway.doctor.finding import Finding, fail, ok, warn
from gateway.store.engine import StoreDown

log = logging.getLogger("postern.doctor")

CheckFunction = Callable[[Scene], Awaitable[Sequence[Finding]]]


@dataclass(frozen=True, slots=True)
class Check:
    """``name`` is for ``--only`` and ``--skip``; ``optional`` ones run only when asked for."""

    name: str
    run: CheckFunction
    seconds: float = 30.0
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    check: str
    findings: tuple[Finding, ...]


async def examine(scene: Scene, checks: Sequence[Check]) -> list[Report]:
    """The reports, in the order of the checks; first, as check ``profile``, which of them do not apply."""
    applying = [one for one in checks if applies(scene, one.name)]
    others = [one.name for one in checks if one not in applying]
    reports = await asyncio.gather(*(_one(scene, one) for one in applying))
    return [*([Report("profile", (left_out(scene, others),))] if others else []), *reports]


async def _one(scene: Scene, check: Check) -> Report:
    return Report(check.name, tuple(await _findings(scene, check)))


async def _findings(scene: Scene, check: Check) -> Sequence[Finding]:
    try:
        async with asyncio.timeout(check.seconds) as limit:
            return await check.run(scene)
    except TimeoutError:
        if not limit.expired():
            return [
                fail(check.name, "something did not answer in time", "run it again with --only " + check.name)
            ]
        return [
            fail(
                check.name,
                f"did not come to an end within {check.seconds:g} s",
                "something this check asks hangs: see what it checks in docs/troubleshooting.md",
            )
        ]
    except NoDatabase as error:
        return [warn(check.name, f"not checked: {error}", "start the gateway once, or check --data")]
    except NoGateway as error:
        return [warn(check.name, f"not checked: {error}", f"{scene.start_command}, then run this again")]
    except StoreDown as error:
        return [fail(check.name, f"the database does not answer: {error}", "see the check named database")]
    except PermissionError as error:
        return [
            warn(check.name, f"not checked: {error.filename or error} may not be read", "run this as root")
        ]
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            return [_defect(check, error)]
        return [fail(check.name, "not checked: the disk is full", "make room, or a bigger disk")]
    except Exception as error:
        return [_defect(check, error)]


def _defect(check: Check, error: Exception) -> Finding:
    log.debug("check %s failed", check.name, exc_info=error)
    return fail(
        check.name,
        f"the check itself failed: {type(error).__name__}: {error}",
        "please report it (POSTERN_TRACEBACK=1 shows where)",
    )


def well(findings: Sequence[Finding], subject: str, text: str) -> list[Finding]:
    """The findings, or that all is well when there are none."""
    return list(findings) or [ok(subject, text)]
