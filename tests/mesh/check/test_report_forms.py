"""The three reports: for people, for scripts and for code scanners."""

import json
import re

import jsonschema
import pytest
from mesh.check.istio_readable import EXPECTED as IN_ISTIO
from mesh.check.istio_readable import one, rendered
from mesh.check.readable import EXPECTED, FAULTS, bootstrap, source, with_faults

from extproc.mesh.check.finding import Severity
from extproc.mesh.check.judge import ALL_RULES, judge
from extproc.mesh.check.read import Source, read_sources
from extproc.mesh.check.report import json_report, sarif_report, text_report
from extproc.mesh.check.report.lines import line_of
from extproc.mesh.yaml_text import write_yaml

TEXT = write_yaml(with_faults(*FAULTS))
SOURCE = Source(origin="dir/envoy config.yaml", data=TEXT.encode())
JUDGEMENT = judge(read_sources([SOURCE]), EXPECTED)

# The required members of SARIF 2.1.0 that we use, with the same constraints as the published schema.
TEXT_MESSAGE = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string", "minLength": 1}}}
LEVEL = {"enum": ["none", "note", "warning", "error"]}
LOCATION = {
    "type": "object",
    "additionalProperties": False,
    "required": ["physicalLocation"],
    "properties": {
        "physicalLocation": {
            "type": "object",
            "additionalProperties": False,
            "required": ["artifactLocation"],
            "properties": {
                "artifactLocation": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["uri"],
                    "properties": {"uri": {"type": "string", "pattern": r"^[!#-\[\]_a-z~%]+$|^[!-~]+$"}},
                },
                "region": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["startLine"],
                    "properties": {"startLine": {"type": "integer", "minimum": 1}},
                },
            },
        },
        "logicalLocations": {
            "type": "array",
            "uniqueItems": True,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["fullyQualifiedName"],
                "properties": {"fullyQualifiedName": {"type": "string"}},
            },
        },
    },
}
RESULT = {
    "type": "object",
    "additionalProperties": False,
    "required": ["ruleId", "ruleIndex", "level", "message", "locations"],
    "properties": {
        "ruleId": {"type": "string"},
        "ruleIndex": {"type": "integer", "minimum": 0},
        "level": LEVEL,
        "message": TEXT_MESSAGE,
        "locations": {"type": "array", "items": LOCATION},
    },
}
RULE = {
    "type": "object",
    "additionalProperties": False,
    "required": ["id"],
    "properties": {
        "id": {"type": "string"},
        "shortDescription": TEXT_MESSAGE,
        "fullDescription": TEXT_MESSAGE,
        "defaultConfiguration": {"type": "object", "required": ["level"], "properties": {"level": LEVEL}},
    },
}
DRIVER = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name", "rules"],
    "properties": {
        "name": {"type": "string"},
        "version": {"type": "string"},
        "rules": {"type": "array", "uniqueItems": True, "items": RULE},
    },
}
SARIF = {
    "type": "object",
    "additionalProperties": False,
    "required": ["version", "runs", "$schema"],
    "properties": {
        "$schema": {"type": "string", "format": "uri"},
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["tool", "results"],
                "properties": {
                    "tool": {"type": "object", "required": ["driver"], "properties": {"driver": DRIVER}},
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                    "results": {"type": "array", "items": RESULT},
                },
            },
        },
    },
}


def test_sarif_has_the_shape_of_the_specification() -> None:
    report = json.loads(json.dumps(sarif_report(JUDGEMENT, {SOURCE.origin: SOURCE.data})))
    jsonschema.validate(report, SARIF)
    (run,) = report["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == list(ALL_RULES)
    assert len(run["results"]) == len(JUDGEMENT.findings)
    for result, finding in zip(run["results"], JUDGEMENT.findings, strict=True):
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"] == finding.rule.id
        assert result["level"] == ("error" if finding.rule.severity is Severity.LEAK else "warning")
        (location,) = result["locations"]
        assert location["physicalLocation"]["artifactLocation"]["uri"] == "dir/envoy%20config.yaml"
        assert location["logicalLocations"] == [{"fullyQualifiedName": finding.path}]


def test_sarif_names_the_line() -> None:
    report = sarif_report(JUDGEMENT, {SOURCE.origin: SOURCE.data})
    lines = TEXT.splitlines()
    for result in json.loads(json.dumps(report))["runs"][0]["results"]:
        line = result["locations"][0]["physicalLocation"]["region"]["startLine"]
        if result["ruleId"] == "failure-mode-allow":
            assert lines[line - 1].strip() == "failure_mode_allow: true"
        if result["ruleId"] == "panic":
            assert lines[line - 1].strip() == "healthy_panic_threshold:"


def test_a_finding_that_is_nowhere_has_no_line() -> None:
    other: dict[str, object] = {"static_resources": {"clusters": []}}
    judgement = judge(read_sources([source(other)]), EXPECTED)
    report = json.loads(json.dumps(sarif_report(judgement, {})))
    jsonschema.validate(report, SARIF)
    (result,) = report["runs"][0]["results"]
    assert "logicalLocations" not in result["locations"][0]
    assert "region" not in result["locations"][0]["physicalLocation"]


@pytest.mark.slow
def test_the_line_of_a_resource_is_found() -> None:
    resources = rendered()
    one(resources, "ServiceEntry", "r1")["spec"]["resolution"] = "NONE"
    text = "---\n".join(write_yaml(each) for each in resources)
    (finding,) = judge(read_sources([source(text)]), IN_ISTIO).findings
    line = line_of(text.encode(), finding.path)
    assert line is not None
    assert text.splitlines()[line - 1] == "  resolution: NONE"


@pytest.mark.parametrize(
    ("text", "path", "line"),
    [
        ("a:\n  b_c:\n  - d: 1\n  - e: 2\n", "a.b_c[1].e", 4),
        ("a:\n  bC: 1\n", "a.b_c", 2),
        ("a:\n  b_c: 1\n", "a.bC", 2),
        ("a:\n  x.y:\n    z: 1\n  x: 2\n", "a.x.y.z", 3),
        ("a:\n  b: 1\n", "a.missing.below", 1),
        ("a: 1\n---\nb:\n  c: 1\n", "document 2: b.c", 4),
        ("a: 1\n---\nb: 2\n", "elsewhere", None),
        ("kind: List\nitems:\n- kind: A\n  metadata: {name: n}\n  spec: {x: 1}\n", "A n: spec.x", 5),
        ("a: [", "a", None),
        ("", "a", None),
    ],
)
def test_the_line_of_a_path(text: str, path: str, line: int | None) -> None:
    assert line_of(text.encode(), path) == line


def test_json_keeps_its_shape() -> None:
    report = json.loads(json.dumps(json_report(JUDGEMENT, "sha256:0")))
    assert list(report) == ["policy", "checked", "leaks", "faults", "findings"]
    assert report["checked"] == {
        "origins": ["dir/envoy config.yaml"],
        "listeners": 1,
        "clusters": 5,
        "routes_to_regions": 2,
        "resources": 0,
        "not_judged": [],
    }
    assert report["leaks"] + report["faults"] == len(report["findings"]) == len(JUDGEMENT.findings)
    for each in report["findings"]:
        assert list(each) == ["rule", "severity", "title", "origin", "path", "message", "mend"]
    assert [each["severity"] for each in report["findings"]] == sorted(
        (each["severity"] for each in report["findings"]), key=["leak", "fault"].index
    )


def test_people_read_leaks_first_with_place_and_mend() -> None:
    lines = [line for line, _ in text_report(JUDGEMENT)]
    text = "\n".join(lines)
    assert lines[0].startswith(f"{JUDGEMENT.leaks} leaks: ")
    assert text.index("leaks: ") < text.index("mirror") < text.index("fault") < text.index("panic")
    for finding in JUDGEMENT.findings:
        assert f"    at:   {finding.path}" in lines
    # Why a rule matters is said once, however often it is broken.
    assert text.count("mend: ") == len(JUDGEMENT.findings)
    assert text.count("why:  ") == len({finding.rule.id for finding in JUDGEMENT.findings})
    assert re.search(
        r"^\d+ leaks?, \d+ faults?\. Checked: 1 listener, 5 clusters, 2 routes that reach a region$", lines[-1]
    )


def test_silence_says_what_was_looked_at() -> None:
    judgement = judge(read_sources([source(bootstrap())]), EXPECTED)
    ((line, style),) = text_report(judgement)
    assert line == "nothing found. Checked: 1 listener, 5 clusters, 1 route that reaches a region"
    assert style == "green"


def test_what_a_configuration_holds_cannot_command_a_terminal() -> None:
    fields = bootstrap()
    fields["static_resources"]["clusters"][0]["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"][
        "address"
    ]["socket_address"]["address"] = "\x1b[2J\u202e\n"
    judgement = judge(read_sources([source(fields)]), EXPECTED)
    assert judgement.findings
    assert all(line.isprintable() for line, _ in text_report(judgement))


def test_every_rule_teaches() -> None:
    for rule in ALL_RULES.values():
        assert re.fullmatch(r"[a-z][a-z0-9-]*", rule.id)
        assert rule.title
        assert len(rule.why) > 30
