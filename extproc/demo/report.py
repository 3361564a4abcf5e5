"""What the demo prints and writes: the table, the events, the verification."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from extproc.demo.story import Row, Told, permitted_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What the auditor's command said about the log, and what the cells' own accounts say."""

    exit_code: int
    verification: dict[str, Any]
    said: str
    leaks: list[str]
    violations: float

    @property
    def held(self) -> bool:
        """Tell whether the log verifies and nothing left its permitted set."""
        return self.exit_code == 0 and not self.leaks and not self.violations


def print_report(console: Console, told: Told, proof: Proof, evidence: Path) -> None:
    """Print everything a person wants to see, faults last, where they are read."""
    console.print(_table(told.rows))
    for event in told.events:
        console.print(f"[bold]{event.name}[/] {_mark(event.held)} {event.story}")
    console.print(f"\n[bold]verification[/] {_mark(proof.exit_code == 0)} (exit code {proof.exit_code})")
    console.print(proof.said.rstrip(), highlight=False)
    leaks = "\n".join(proof.leaks) or "every request that a cell received bears a logged decision that permits it"
    console.print(f"[bold]by the cells' own accounts[/] {_mark(not proof.leaks)} {leaks}")
    console.print(f"\nevidence: {evidence}", soft_wrap=True)
    for row in told.rows:
        for fault in row.faults:
            console.print(f"[red]{row.visit.who}: {fault}[/]")
    if told.held and proof.held:
        console.print("[green]every expectation held[/]")
    else:
        console.print("[red]an expectation did not hold[/]")


def to_json(told: Told, proof: Proof, evidence: Path) -> dict[str, object]:
    """Give the same as plain data."""
    return {
        "held": told.held and proof.held,
        "visits": [_row_to_json(row) for row in told.rows],
        "events": [{"name": e.name, "held": e.held, "story": e.story, "measures": e.measures} for e in told.events],
        "verification": {"exit_code": proof.exit_code, "held": proof.held, **proof.verification},
        "leaks": proof.leaks,
        "violations": proof.violations,
        "evidence": str(evidence),
    }


def _row_to_json(row: Row) -> dict[str, object]:
    return {
        "who": row.visit.who,
        "facts": row.visit.facts,
        "permitted": None if row.record is None else sorted(permitted_of(row.record)),
        "chosen": _chosen(row),
        "served": row.answer.region,
        "why": _why(row),
        "status": row.answer.status,
        "latency_ms": round(row.answer.latency_s * 1000, 3),
        "decision": row.answer.decision,
        "right_digit": row.right_digit,
        "faults": row.faults,
    }


def _table(rows: list[Row]) -> Table:
    table = Table(title="requests through a real Envoy", title_justify="left", pad_edge=False, show_lines=False)
    for name in ("who", "facts", "permitted", "chosen", "served", "why", "status", "ms"):
        table.add_column(name, justify="right" if name in ("status", "ms") else "left", overflow="fold")
    for row in rows:
        permitted = "" if row.record is None else " ".join(sorted(permitted_of(row.record))) or "none"
        table.add_row(
            row.visit.who,
            row.visit.facts,
            permitted,
            ">".join(_chosen(row)),
            row.answer.region or "",
            _why(row),
            f"[red]{row.answer.status}[/]" if row.faults else str(row.answer.status),
            f"{row.answer.latency_s * 1000:.1f}",
        )
    return table


def _chosen(row: Row) -> list[str]:
    plan: list[str] = [] if row.record is None else row.record.get("steer", {}).get("plan", [])
    return plan


def _why(row: Row) -> str:
    """Say in few words what decided: the refusal's reason, or which regime excluded which regions."""
    if row.record is None:
        return "no record" if row.answer.decision else "refused by Envoy: the token does not verify"
    deny = row.record.get("deny")
    if deny is not None and not row.record.get("verdict"):
        return str(deny["refusal"])
    excluded: dict[str, list[str]] = {}
    for region in row.record["verdict"]["regions"]:
        if region.get("exclusion"):
            ground = region.get("excluded_by") or region["exclusion"]
            excluded.setdefault(ground, []).append(region["region"])
    grounds = [f"{ground} excludes {' '.join(regions)}" for ground, regions in excluded.items()]
    bases = [f"{permit['regime']}.{permit['id']} ({permit['basis']})" for permit in row.record.get("permits", [])]
    return "; ".join([*grounds, *(["by " + ", ".join(bases)] if bases else [])])


def _mark(held: bool) -> str:  # noqa: FBT001 - a yes or no to be shown
    return "[green]held[/]" if held else "[red]did not hold[/]"
