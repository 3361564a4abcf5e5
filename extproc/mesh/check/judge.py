"""The whole judgement: every rule over everything that was read, and whether there was anything to judge at all."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from extproc.mesh.check.config import EnvoyConfig, Expected
from extproc.mesh.check.finding import Finding, Rule, Severity
from extproc.mesh.check.istio import ISTIO_RULES, check_istio, is_judged
from extproc.mesh.check.read import Read
from extproc.mesh.check.reading.documents import refuse
from extproc.mesh.check.rules import RULES, check_envoy, check_runtime
from extproc.mesh.check.rules.decision import EXT_PROC
from extproc.mesh.check.rules.scope import scope_of
from extproc.mesh.check.view import managers_of

NOTHING: Final = Rule(
    id="nothing-to-judge",
    severity=Severity.FAULT,
    title="What is checked sends to a region, or asks the sidecar",
    why="Neither is in it: most likely it is the configuration of another proxy, and that of the one that serves was "
    "not checked.",
)
ALL_RULES: Final[Mapping[str, Rule]] = MappingProxyType({**RULES, **ISTIO_RULES, NOTHING.id: NOTHING})
"""Every rule of the linter by its id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What was looked at, so that silence can be told from having looked at nothing.

    `ways` are ends of routes that reach a region, `resources` those of Kubernetes that were judged, `others` the kinds
    of those that were not.
    """

    origins: tuple[str, ...]
    listeners: int
    clusters: int
    ways: int
    resources: int
    others: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What was found, leaks first and then in the order of the files, and what was looked at."""

    findings: tuple[Finding, ...]
    checked: Checked

    @property
    def leaks(self) -> int:
        """Give how many of the findings are leaks."""
        return sum(finding.rule.severity is Severity.LEAK for finding in self.findings)


def judge(read: Read, expected: Expected) -> Judgement:
    """Judge all that was read. Raises DocumentError where none of it is of a kind that can be judged."""
    judged = [resource for resource in read.resources if is_judged(resource)]
    others = sorted({resource.kind for resource in read.resources if not is_judged(resource)})
    if not judged and not read.configs:
        refuse(
            ", ".join(read.files) or "-",
            f"nothing in it decides where requests go ({', '.join(others) or 'it is empty'})",
            "give the resources of Istio (EnvoyFilter, ServiceEntry, DestinationRule, …) or a proxy's configuration",
        )
    ways = {id(config): _ways(config, expected) for config in read.configs}
    found = [
        *(finding for config in read.configs for finding in _envoy(config, expected, ways[id(config)])),
        *(finding for origin, runtime in read.runtimes for finding in check_runtime(runtime, origin)),
        *check_istio(judged, expected),
    ]
    checked = Checked(
        origins=read.files,
        listeners=sum(len(config.listeners) for config in read.configs),
        clusters=sum(len(config.clusters) for config in read.configs),
        ways=sum(ways.values()),
        resources=len(judged),
        others=tuple(others),
    )
    placed = dict.fromkeys(_placed(finding, read.files) for finding in found)
    leaks_first = sorted(placed, key=lambda finding: finding.rule.severity is not Severity.LEAK)
    return Judgement(findings=tuple(leaks_first), checked=checked)


def _envoy(config: EnvoyConfig, expected: Expected, ways: int) -> Iterator[Finding]:
    if ways == 0 and not _asks(config):
        yield Finding(
            rule=NOTHING,
            origin=config.origin,
            path="",
            message=f"no route reaches a region, and nothing asks the sidecar ({_shown(config)})",
            mend="check the proxy that serves, or the policy and the mesh file that belong to this one"
            if config.listeners
            else "give the listeners too: a fragment is judged where it was merged",
        )
        # A rule that misses the decision here would only say the same again; one that finds a leak must be heard.
        yield from (each for each in check_envoy(config, expected) if each.rule.severity is Severity.LEAK)
        return
    yield from check_envoy(config, expected)


def _ways(config: EnvoyConfig, expected: Expected) -> int:
    """Count the ends of routes that reach a region, by plan or past it."""
    scope = scope_of(config, expected)
    return sum(
        way.kind in ("cluster_header", "plugin") or (way.kind == "cluster" and bool(scope.where(way.target.text)))
        for manager in managers_of(config)
        for way in manager.ways
    )


def _asks(config: EnvoyConfig) -> bool:
    return any(node.typed()[0] == EXT_PROC for listener in config.listeners for node in listener.descendants())


def _shown(config: EnvoyConfig) -> str:
    return f"{len(config.listeners)} listeners, {len(config.clusters)} clusters"


def _placed(finding: Finding, files: Sequence[str]) -> Finding:
    """Give a finding in one of several files that were read together its own file."""
    for file in files:
        if finding.path.startswith(f"{file}: "):
            return replace(finding, origin=file, path=finding.path.removeprefix(f"{file}: "))
    return finding
