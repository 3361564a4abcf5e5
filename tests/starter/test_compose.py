"""Composing: the same bytes each time, nothing left open, and clear words where two things do not go together."""

import subprocess
import sys

import pytest
from starter.combinations import COMBINATIONS

from extproc.policy.starter import DEFAULT_PRESET, PRESETS, PROFILES, PresetError, compose

every_combination = pytest.mark.parametrize(("profile", "preset"), COMBINATIONS)

_DIGESTS = """
import hashlib, extproc.policy.starter as s
for name, preset in s.PRESETS.items():
    for profile in preset.profiles:
        print(name, profile, hashlib.sha256(s.compose(profile, name).encode()).hexdigest())
"""


@pytest.mark.slow
def test_another_process_with_another_hash_seed_gives_the_same_bytes() -> None:
    outputs = [
        subprocess.run(
            [sys.executable, "-c", _DIGESTS],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout
        for seed in ("1", "2")
    ]
    assert outputs[0] == outputs[1]
    assert len(outputs[0].splitlines()) == len(COMBINATIONS)


@every_combination
def test_a_document_is_whole(profile: str, preset: str) -> None:
    text = compose(profile, preset)
    assert "$" not in text
    assert "\t" not in text
    assert "\n\n\n" not in text
    assert text.endswith("\n")
    assert not [line for line in text.splitlines() if len(line) > 120 or line != line.rstrip()]
    assert f"profile: {profile}\n" in text
    assert "not legal advice" in text


@pytest.mark.slow
def test_every_profile_goes_with_the_default() -> None:
    assert PRESETS[DEFAULT_PRESET].profiles == tuple(PROFILES)
    assert next(iter(PRESETS)) == DEFAULT_PRESET
    for profile in PROFILES:
        assert compose(profile) == compose(profile, DEFAULT_PRESET)


@pytest.mark.parametrize(
    ("profile", "preset"),
    [(profile, preset) for profile in PROFILES for preset in PRESETS if (profile, preset) not in COMBINATIONS],
)
def test_what_does_not_go_together_says_why_and_what_does(profile: str, preset: str) -> None:
    with pytest.raises(PresetError) as caught:
        compose(profile, preset)
    message = str(caught.value)
    assert f"'{preset}'" in message
    assert f"'{profile}'" in message
    assert "Mend: " in message
    mend = message.partition("Mend: ")[2]
    assert any(name in mend for name in PRESETS[preset].profiles)
    assert "{" not in message


@pytest.mark.parametrize(("profile", "preset"), [("fast", "eu"), ("hybrid", "mars")])
def test_a_name_that_is_not_there_is_answered_with_those_that_are(profile: str, preset: str) -> None:
    with pytest.raises(PresetError, match="Mend: choose one of "):
        compose(profile, preset)


def test_a_policy_that_keeps_data_at_home_says_what_it_left_out() -> None:
    text = compose("legal-first", "eu")
    assert "Left out, because this profile counts no transfer: adequacy, dpf, scc, bcr." in text
    assert "enabled_by" not in text


def test_a_regulated_preset_marks_its_own_rule_as_its_own() -> None:
    text = compose("hybrid", "finance")
    assert 'cite: "this preset\'s own rule, not the law: it rests on no transfer"' in text


def test_comments_of_the_law_reach_the_operator() -> None:
    text = compose("hybrid", "global")
    assert "# Not covered: " in text
    assert "# Clauses bind the recipient, not its state" in text
    assert "# My Health Records Act 2012 s. 77." in text
