"""The record beside the logs: signed, shown, and no harm to their verification. And the log, read back."""

import json
import time
from hashlib import sha256
from pathlib import Path

import pytest
from custody.world import keeper, write_log
from drill.test_report import _DRILL
from ledger.world import decision, delivery

from extproc.cli.main import main
from extproc.drill.evidence import read_evidence
from extproc.drill.record import record
from extproc.drill.report import to_markdown

pytestmark = pytest.mark.slow


def test_the_record_is_signed_and_shown_and_verifies(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_log(tmp_path, at_s=time.time())
    report = to_markdown(_DRILL).encode()
    record(keeper(tmp_path), _DRILL, report)
    assert main(["audit", "verify", str(tmp_path)]) == 0
    capsys.readouterr()
    assert main(["audit", "show", str(tmp_path), "--kind", "drill", "--json"]) == 0
    shown = [json.loads(line)["drill"] for line in capsys.readouterr().out.splitlines()]
    assert [(each["scenario"], each.get("passed", False)) for each in shown] == [
        ("region-loss", True),
        ("reload", False),
    ]
    assert {each["report"] for each in shown} == {sha256(report).hexdigest()}


def test_the_log_is_read_back_from_a_time_on(tmp_path: Path) -> None:
    """Bundles of 256 entries: what is older is not even looked at."""
    at_s = 1_800_000_000.0
    write_log(tmp_path, at_s=at_s, decisions=600, step_s=1.0)
    every = read_evidence(tmp_path, 0.0)
    assert len(every.decisions) == 600
    first = decision(1)
    assert every.deliveries[first.id] == delivery(first)
    assert every.decisions[first.id].at_s == at_s + 1
    assert first.verdict is not None
    permitted = {each.region for each in first.verdict.regions if each.exclusion is None}
    assert every.decisions[first.id].permitted == permitted
    assert [each.region for each in every.attempts()] == [each.region for each in delivery(first).attempts]
    for since_s in (at_s - 1, at_s + 255.5, at_s + 256, at_s + 512, at_s + 590.5, at_s + 9999):
        later = read_evidence(tmp_path, since_s)
        assert later.decisions.keys() == {i for i, each in every.decisions.items() if each.at_s >= since_s}


def test_where_nothing_is_published_there_is_no_evidence(tmp_path: Path) -> None:
    assert read_evidence(tmp_path, 0.0).decisions == {}
