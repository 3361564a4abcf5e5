"""A system that serves people: disturbed only by its own means, and by commands that its operator gives.

A legal order goes through the override file, a reload through the policy's own file. Whatever else is to fail, the
operator says how: one command that breaks it, one that mends it.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import httpx

from extproc.core.ids import RegionId
from extproc.core.tables import PolicyTables
from extproc.demo.visits import REGION_HEADER, Answer
from extproc.drill.errors import CannotError
from extproc.drill.evidence import Evidence, read_evidence
from extproc.drill.live_faults import commanded, ordered, touched
from extproc.drill.scenarios import Scenario
from extproc.drill.system import Fault
from extproc.ledger.housekeeping import DrillMode
from extproc.names import DECISION_HEADER
from extproc.policy.approvers import person_of
from extproc.policy.load import load_policy

_APPROVERS: Final = 2
_PATIENCE_S: Final = 15.0
_LOOK_S: Final = 0.5
_REPORTED_S: Final = 3.0
"""How long after its end a request may still be reported by Envoy."""
_MARGIN_S: Final = 5.0
"""How far the clocks of the machines may be apart."""
_TIMEOUT_S: Final = 10.0
_BY_COMMAND: Final = frozenset({Scenario.REGION_LOSS, Scenario.BROWN_OUT, Scenario.SIDECAR_KILL, Scenario.GEO_LOSS})


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is sent again and again: a GET where there is no body, else a POST."""

    url: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """By what a live system may be disturbed, and where its evidence is."""

    policy: Path
    log: Path
    overrides: Path | None = None
    approved_by: tuple[str, ...] = ()
    break_command: str | None = None
    mend_command: str | None = None


def check_means(scenarios: Sequence[Scenario], means: Means) -> None:
    """Raise CannotError, before anything is disturbed, where one of the scenarios cannot be done by these means."""
    by_command = [each for each in scenarios if each in _BY_COMMAND]
    if len(by_command) > 1:
        raise CannotError(
            f"{', '.join(by_command)}: --break and --mend are about one thing. Mend: drill them one by one"
        )
    for scenario in by_command:
        if not means.break_command or not means.mend_command:
            raise CannotError(
                f"{scenario}: only you know how to break that in a live system. Mend: give --break and --mend, the "
                "commands that do it and undo it"
            )
    if (means.break_command or means.mend_command) and not by_command:
        raise CannotError(f"--break and --mend are for {', '.join(sorted(_BY_COMMAND))}. Mend: name one of them")
    if Scenario.SUSPENSION in scenarios:
        if means.overrides is None:
            raise CannotError("suspension: no override file is known. Mend: give --overrides, as `situs serve` has it")
        if len({person_of(name) for name in means.approved_by} - {""}) < _APPROVERS:
            raise CannotError(
                "suspension: an order needs two approvers. Mend: name two different people, --approved-by once for each"
            )


class LiveSystem:
    """A system that is reached by `request`."""

    mode = DrillMode.LIVE

    def __init__(self, request: Request, means: Means) -> None:
        self._request = request
        self._means = means
        self._tables = load_policy(means.policy).tables
        self._client = httpx.AsyncClient(timeout=_TIMEOUT_S, limits=httpx.Limits(max_connections=64))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._client.aclose()

    @property
    def tables(self) -> PolicyTables:
        """The policy, as its file was at the start of the drill."""
        return self._tables

    async def send(self, index: int) -> Answer:  # noqa: ARG002 - all requests are alike
        """Send the request."""
        at_s = time.monotonic()
        request = self._request
        try:
            response = await self._client.request(
                "GET" if request.body is None else "POST",
                request.url,
                content=request.body,
                headers=list(request.headers),
            )
        except httpx.HTTPError:
            return _answer(None, at_s)
        return _answer(response, at_s)

    def fault(self, scenario: Scenario, region: RegionId) -> Fault:
        """Prepare a fault by the means that there are. Raises CannotError."""
        check_means([scenario], self._means_for(scenario))
        if region not in self._tables.index:
            raise CannotError(f"{self._means.policy} has no region {region}. Mend: give the policy that is in force")
        if scenario is Scenario.RELOAD:
            return touched(self._means.policy)
        if scenario is Scenario.SUSPENSION and self._means.overrides is not None:
            return ordered(self._means.overrides, region, self._means.approved_by)
        return commanded(
            self._means.break_command or "",
            self._means.mend_command or "",
            {"SITUS_DRILL": scenario.value, "SITUS_DRILL_REGION": region},
        )

    def _means_for(self, scenario: Scenario) -> Means:
        """Give the means without the commands where the scenario is not done by one."""
        if scenario in _BY_COMMAND:
            return self._means
        means = self._means
        return Means(policy=means.policy, log=means.log, overrides=means.overrides, approved_by=means.approved_by)

    async def evidence(self, since_s: float, decisions: frozenset[str]) -> Evidence:
        """Read the log while it is written, until it has these decisions or for a quarter of a minute."""
        end_s = time.monotonic() + _PATIENCE_S
        await asyncio.sleep(_REPORTED_S)
        while True:
            found = await asyncio.to_thread(read_evidence, self._means.log, since_s - _MARGIN_S)
            if decisions <= found.decisions.keys() or time.monotonic() > end_s:
                return found
            await asyncio.sleep(_LOOK_S)

    def received(self) -> None:
        """Give nothing: the cells' own accounts are with the cells."""


def _answer(response: httpx.Response | None, at_s: float) -> Answer:
    return Answer(
        status=0 if response is None else response.status_code,
        region=None if response is None else response.headers.get(REGION_HEADER),
        decision=None if response is None else response.headers.get(DECISION_HEADER),
        reason=None if response is None or response.is_success else _reason(response),
        digit=None,
        at_s=at_s,
        latency_s=time.monotonic() - at_s,
    )


def _reason(response: httpx.Response) -> str | None:
    """Give the reason code of a refusal; None where the answer is no refusal of ours."""
    try:
        body = response.json()
    except ValueError:
        return None
    return str(body["reason"]) if isinstance(body, dict) and "reason" in body else None
