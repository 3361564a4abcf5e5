"""How shadow policies differ, from records that hold both verdicts."""

from pathlib import Path

from review.simulate_logs import LogMaker, demo, request

from extproc.core.shadow import ShadowDifference, difference
from extproc.review.shadow_report import report_shadows, shadows_in_words
from extproc.review.simulate import Move

NARROWER = demo(("    mechanisms: {dpf: true}\n", ""))
WIDER = demo(("subject_in: US, class_not", "subject_in: [US, BR], class_not"), ("version: 1", "version: 2"))


async def test_each_shadow_policy_is_told_apart(tmp_path: Path) -> None:
    async with LogMaker(tmp_path, demo()) as log:
        await log.decide(request())
        log.shadow = NARROWER
        await log.configure()
        await log.decide(request(), request(place="US"), request())
        log.shadow = WIDER
        await log.configure()
        await log.decide(request(place="BR"))
    report = report_shadows(tmp_path)
    assert report.alone == 1
    narrower, wider = report.runs
    assert (narrower.shadow, wider.shadow) == (NARROWER.tables.revision, WIDER.tables.revision)
    assert narrower.live == wider.live == demo().tables.revision
    assert narrower.differences == {ShadowDifference.NARROWER: 2, ShadowDifference.SAME: 1}
    assert wider.differences == {ShadowDifference.WIDER: 1}
    ((group, entry),) = narrower.tally.groups.items()
    assert (group.lost, entry.count, entry.example) == (("us-iad",), 2, log.decisions[1].id)
    assert (entry.first_s, entry.last_s) == (log.decisions[1].decided_at_s, log.decisions[3].decided_at_s)
    ((group, _),) = wider.tally.groups.items()
    assert group.move is Move.SERVED
    for made in log.decisions[1:]:
        assert difference(made) is not None
    words = "\n".join(shadows_in_words(report))
    assert "Nothing was verified" in words
    assert "1 decision had no shadow policy beside them" in words
    assert "Shadow demo version 2 sha256:" in words
    assert "could no longer go to us-iad" in words


async def test_the_differences_are_the_cores(tmp_path: Path) -> None:
    other = demo(
        ("    mechanisms: {dpf: true}\n", ""),
        ("id: ae\n        to: AE", "id: ae\n        to: [AE, NL]"),
        ("subject_in: US, class_not", "subject_in: BR, class_not"),
    )
    async with LogMaker(tmp_path, demo(), shadow=other) as log:
        await log.decide(*(request(place=place) for place in ("FR", "AE", "US", "BR", "JP", None)))
    (run,) = report_shadows(tmp_path).runs
    expected = [difference(made) for made in log.decisions]
    assert {each: expected.count(each) for each in run.differences} == run.differences
    assert sum(run.tally.moves.values()) == len(expected)
