"""What the survey reads from masks is what tier 1 answers, for random policies, orders included."""

from datetime import date

import pytest
from hypothesis import given, settings
from policy.random_laws import Written
from policy.strategies import as_yaml, policies

from extproc.core.reasons import Refusal
from extproc.policy import CompiledPolicy, compile_policy, parse_policy
from extproc.review.domain import Cell, answer, moments_of, places_of
from extproc.review.lint import lint, places_of_text
from extproc.review.lint.survey import Survey


def _compiled(policy: Written) -> CompiledPolicy:
    return compile_policy(parse_policy(as_yaml(policy), file="p.yaml"))


def _compare(compiled: CompiledPolicy) -> int:
    """Hold every answer of the survey against tier 1's; give how many permit something."""
    survey = Survey(compiled)
    tables = compiled.tables
    permitting = 0
    for kind in survey.kinds:
        for model in tables.models:
            for name in sorted(tables.classes):
                for at_s in moments_of(compiled):
                    seen: list[str] = []
                    for places, found in survey.answers(kind, model, name, at_s):
                        seen += places
                        for place in {places[0], places[-1]}:
                            cell = Cell(kind=kind, model=model, data_class=name, place=place)
                            said = answer(compiled, cell, at_s)
                            refused = isinstance(said, Refusal)
                            permitted = 0 if isinstance(said, Refusal) else said.permitted
                            assert found.permitted == permitted, (cell, at_s)
                            assert found.ingress == (not isinstance(said, Refusal) and said.ingress), (cell, at_s)
                            grounds = survey.grounds(kind, model, name, place, at_s)
                            assert (grounds == (said.value,)) if isinstance(said, Refusal) else True
                            permitting += bool(permitted) and not refused
                    assert sorted(seen) == sorted(places_of(compiled))
    return permitting


@pytest.mark.slow
@settings(max_examples=40)
@given(policy=policies())
def test_masks_say_what_tier_1_says(policy: Written) -> None:
    _compare(_compiled(policy))


@pytest.mark.slow
@settings(max_examples=50)
@given(policy=policies())
def test_any_policy_that_parses_can_be_linted(policy: Written) -> None:
    """Every finding stands in the file, in its order, and none is said twice."""
    text = as_yaml(policy)
    for today in (date(2025, 12, 1), date(2026, 2, 1), date(2028, 1, 1)):
        found = lint(_compiled(policy), places_of_text(text, file="p.yaml"), today=today)
        assert list(found) == sorted(found, key=lambda each: each.place)
        assert len(set(found)) == len(found)
        assert all(each.place.file == "p.yaml" and 1 <= each.place.column <= len(text) for each in found)
        assert all(each.message and each.mend and "\n" not in each.message for each in found)


def test_a_place_outside_of_time_has_no_answer() -> None:
    compiled = _compiled(
        {
            "apiVersion": "situs/v1",
            "policy": {
                "id": "p", "version": 1, "as_of": "2026-01-01", "review_by": "2027-01-01", "profile": "hybrid",
            },
            "ingress": {"region": "r", "edge": "direct"},
            "classes": ["personal"],
            "regions": {"r": {"country": "DE", "models": {"m": {}}}},
            "regimes": [
                {
                    "id": "de", "when": {"subject_in": "DE"},
                    "permits": [{"id": "de", "to": "DE", "basis": "internal", "cite": "x"}],
                },
            ],
            "tenants": {"t": {"match": "anonymous", "class": "personal"}},
            "signals": {"geoip": {}},
        }
    )  # fmt: skip
    survey = Survey(compiled)
    (kind,) = survey.kinds
    (model,) = compiled.tables.models
    assert survey.answers(kind, model, kind.tenant.data_class, 0.0) == []
    assert _compare(compiled) > 0
