"""A store for mobiles that keeps them as long as it lives."""

from __future__ import annotations

from collections.abc import Sequence

from callrouter.mobiles.mobile_records import AuditRow, DialledRow, MobileRow


class MemoryStore:
    """Keeps rows as long as it lives."""

    def __init__(self) -> None:
        self.mobiles: dict[tuple[str, str], MobileRow] = {}
        self.audit: list[AuditRow] = []
        self.dialled: list[DialledRow] = []

    def put_mobile(self, row: MobileRow) -> None:
        """Keep a mobile, in place of the one of the same agent and device."""
        self.mobiles[row.agent, row.device] = row

    def forget_mobile(self, agent: str, device: str) -> None:
        """Keep it no longer."""
        self.mobiles.pop((agent, device), None)

    def add_audit(self, row: AuditRow) -> None:
        """Add a step."""
        self.audit.append(row)

    def add_dialled(self, row: DialledRow) -> None:
        """Add a verification call."""
        self.dialled.append(row)

    async def load_mobiles(self, since: float) -> tuple[Sequence[MobileRow], Sequence[DialledRow]]:
        """Every mobile, and the calls since `since`."""
        return list(self.mobiles.values()), [row for row in self.dialled if row.at >= since]

    async def read_audit(self, agent: str, most: int) -> Sequence[AuditRow]:
        """The last `most` steps, the newest first."""
        return [row for row in reversed(self.audit) if agent in {"", row.agent}][:most]
