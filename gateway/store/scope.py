"""Who is asking: the one value that every query is filtered by (DESIGN §1.6)."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.records.ids import InboxId, KeyId, OrganizationId, PodId


@dataclass(frozen=True, slots=True)
class Scope:
    """An authenticated caller's reach. ``pod`` and ``inbox`` narrow it; None means not narrowed.

    ``permissions`` None means everything inside the reach; otherwise the set of permission names granted.
    ``operator``: the key of the gateway's own machine, which may also do what no organization may do for itself.
    ``blind``: labels whose mail does not exist for the caller.
    """

    organization: OrganizationId
    pod: PodId | None = None
    inbox: InboxId | None = None
    permissions: frozenset[str] | None = None
    test: bool = False
    key_id: KeyId | None = None
    operator: bool = False
    blind: frozenset[str] = frozenset()

    @property
    def kind(self) -> str:
        """``organization``, ``pod`` or ``inbox``."""
        return "inbox" if self.inbox else "pod" if self.pod else "organization"

    def inbox_where(self, alias: str = "inbox") -> tuple[str, list[object]]:
        """SQL condition and parameters that keep rows of table inbox (aliased) inside this reach."""
        sql, args = f"{alias}.organization_id = ?", list[object]([self.organization])
        if self.pod:
            sql, args = f"{sql} AND {alias}.pod_id = ?", [*args, self.pod]
        if self.inbox:
            sql, args = f"{sql} AND {alias}.id = ?", [*args, self.inbox]
        return sql, args

    def sight(self, alias: str = "message") -> tuple[str, list[object]]:
        """SQL condition (with a leading AND) and parameters that leave out messages the caller is blind to."""
        if not self.blind:
            return "", []
        marks = ", ".join("?" * len(self.blind))
        return (
            f" AND ({alias}.hidden = 0 OR NOT EXISTS (SELECT 1 FROM label AS veil "  # noqa: S608
            f"WHERE veil.message_id = {alias}.id AND veil.label IN ({marks})))",
            [*sorted(self.blind)],
        )

    def allows(self, permission: str) -> bool:
        """Whether ``permission`` is granted."""
        return self.permissions is None or permission in self.permissions
