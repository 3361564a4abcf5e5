"""The findings as SARIF, which code scanners and pull requests show beside the line.

SPEC: SARIF 2.1.0 (OASIS). A leak is an `error` and a fault a `warning`.
"""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Final
from urllib.parse import quote

from extproc.mesh.check.finding import Finding, Rule, Severity
from extproc.mesh.check.judge import ALL_RULES, Judgement
from extproc.mesh.check.report.lines import line_of
from extproc.mesh.yaml_text import Json

_SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS: Final = {Severity.LEAK: "error", Severity.FAULT: "warning"}


def sarif_report(judgement: Judgement, texts: Mapping[str, bytes]) -> Mapping[str, Json]:
    """Give the log. `texts` are the files that were read, by which lines are found."""
    ids = list(ALL_RULES)
    return {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "situs mesh check",
                        "version": version("situs"),
                        "rules": [_rule(rule) for rule in ALL_RULES.values()],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "results": [_result(each, ids, texts) for each in judgement.findings],
            }
        ],
    }


def _rule(rule: Rule) -> Mapping[str, Json]:
    return {
        "id": rule.id,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.why},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
    }


def _result(finding: Finding, ids: Sequence[str], texts: Mapping[str, bytes]) -> Mapping[str, Json]:
    text = texts.get(finding.origin)
    line = None if text is None else line_of(text, finding.path)
    physical: dict[str, Json] = {"artifactLocation": {"uri": _uri(finding.origin)}}
    if line is not None:
        physical["region"] = {"startLine": line}
    location: dict[str, Json] = {"physicalLocation": physical}
    if finding.path:
        location["logicalLocations"] = [{"fullyQualifiedName": finding.path}]
    return {
        "ruleId": finding.rule.id,
        "ruleIndex": ids.index(finding.rule.id),
        "level": _LEVELS[finding.rule.severity],
        "message": {"text": f"{finding.message}. Mend: {finding.mend}"},
        "locations": [location],
    }


def _uri(origin: str) -> str:
    """Give a URI reference (SPEC: RFC 3986), relative where the file's name is."""
    return origin if origin.startswith(("http://", "https://")) else quote(origin.encode("utf-8", "surrogateescape"))
