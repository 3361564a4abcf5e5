"""The findings as JSON. What is here stays: fields are added, and none is renamed or removed."""

from collections.abc import Mapping

from extproc.mesh.check.finding import Finding
from extproc.mesh.check.judge import Judgement
from extproc.mesh.yaml_text import Json


def json_report(judgement: Judgement, revision: str) -> Mapping[str, Json]:
    """Give the report. `revision` is that of the policy which the configuration was held against."""
    checked = judgement.checked
    return {
        "policy": revision,
        "checked": {
            "origins": list(checked.origins),
            "listeners": checked.listeners,
            "clusters": checked.clusters,
            "routes_to_regions": checked.ways,
            "resources": checked.resources,
            "not_judged": list(checked.others),
        },
        "leaks": judgement.leaks,
        "faults": len(judgement.findings) - judgement.leaks,
        "findings": [_finding(each) for each in judgement.findings],
    }


def _finding(finding: Finding) -> Mapping[str, Json]:
    return {
        "rule": finding.rule.id,
        "severity": finding.rule.severity.value,
        "title": finding.rule.title,
        "origin": finding.origin,
        "path": finding.path,
        "message": finding.message,
        "mend": finding.mend,
    }
