from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extproc.notes.errors import NoteError, UnknownSignerError
from extproc.notes.keys import SigningKey, generate_key
from extproc.notes.note import KeyType, VerifierKey
from extproc.trust.chain import EpochKey, epoch_keys
from extproc.trust.delegation import (
    Delegation,
    covers,
    format_delegations,
    name_issuer,
    parse_delegations,
    sign_delegation,
)
from extproc.trust.errors import ChainError

KEYS = [generate_key() for _ in range(6)]
ORG_KEY = KEYS[0]
ORG = ORG_KEY.verifier("acme/prod")
WORKER = "acme/prod/eu/node-1/0"
LOG = f"{WORKER}/000001-5f3a90c2"


def give(  # noqa: PLR0913 - a delegation has that many parts
    by: SigningKey,
    name: str,
    to: SigningKey,
    *,
    scope: str = WORKER,
    signs: tuple[int, int] = (100, 200),
    successors: int = 1000,
) -> bytes:
    issuer = by.verifier(name)
    delegation = Delegation(
        scope=scope,
        key=to.verifier(scope),
        from_s=signs[0],
        until_s=signs[1],
        successors_until_s=successors,
        issuer=name_issuer(issuer),
    )
    return sign_delegation(delegation, signer=by, issuer=issuer)


FIRST = give(ORG_KEY, "acme/prod", KEYS[1])
SECOND = give(KEYS[1], WORKER, KEYS[2], signs=(150, 250))
THIRD = give(KEYS[2], WORKER, KEYS[3], signs=(240, 340))


def test_a_chain_from_the_organisations_key_gives_every_epoch_its_window() -> None:
    assert epoch_keys(LOG, roots=[ORG], delegations=[FIRST, SECOND, THIRD]) == (
        EpochKey(key=ORG_KEY.verifier(LOG), from_s=-inf, until_s=inf),
        EpochKey(key=KEYS[1].verifier(LOG), from_s=100, until_s=200),
        EpochKey(key=KEYS[2].verifier(LOG), from_s=150, until_s=250),
        EpochKey(key=KEYS[3].verifier(LOG), from_s=240, until_s=340),
    )


def test_a_root_counts_for_its_own_name_and_what_lies_below() -> None:
    for name, count in ((LOG, 1), (WORKER, 1), ("acme/prod/eu/node-1", 1), ("acme/prod/eu/node-10", 0), ("other", 0)):
        assert len(epoch_keys(LOG, roots=[ORG_KEY.verifier(name)], delegations=())) == count
    witness = VerifierKey(name="acme/prod", public=ORG.public, type=KeyType.COSIGNATURE)
    assert epoch_keys(LOG, roots=[witness], delegations=()) == ()
    with pytest.raises(UnknownSignerError):
        epoch_keys(LOG, roots=[witness], delegations=[FIRST])


def test_delegations_for_other_scopes_must_hold_and_do_not_count() -> None:
    other = give(ORG_KEY, "acme/prod", KEYS[4], scope="acme/prod/us/node-9/0")
    keys = epoch_keys(LOG, roots=[ORG], delegations=[FIRST, other, SECOND])
    assert [each.key.public for each in keys] == [KEYS[number].public for number in (0, 1, 2)]
    with pytest.raises(UnknownSignerError, match="delegation 1"):
        epoch_keys(LOG, roots=[ORG_KEY.verifier("other")], delegations=[other])


def test_a_root_that_is_delegated_to_keeps_its_open_window() -> None:
    """Who trusts every key of `signer.vkey` directly can still read a log with a chain."""
    roots = [KEYS[number].verifier(WORKER) for number in (1, 2)]
    keys = epoch_keys(LOG, roots=roots, delegations=[SECOND])
    assert [(each.from_s, each.until_s) for each in keys] == [(-inf, inf)] * 2


@pytest.mark.parametrize(
    ("notes", "message"),
    [
        ([SECOND], "delegation 1: line 7: signed by acme/prod/eu/node-1/0+"),
        ([FIRST, THIRD], "delegation 2: line 7: signed by"),
        ([SECOND, FIRST], "delegation 1: line 7: signed by"),
        ([FIRST, FIRST], "delegation 2: line 3: .* was delegated to before"),
        ([FIRST, give(ORG_KEY, "acme/prod", KEYS[1], signs=(1, 2))], "delegation 2: line 3: .* delegated to before"),
        ([FIRST, SECOND, give(KEYS[2], WORKER, KEYS[1], signs=(160, 170))], "delegation 3: line 3: .* before"),
        ([FIRST, SECOND, give(KEYS[1], WORKER, KEYS[4], signs=(150, 160))], "delegation 3: line 7: .* a successor"),
        ([give(ORG_KEY, "acme/prod", KEYS[1], scope="acme")], "delegation 1: line 2: expected a scope at or below"),
        ([give(ORG_KEY, "acme/prod", KEYS[1], scope="acme/production")], "delegation 1: line 2"),
        ([FIRST, give(KEYS[1], WORKER, KEYS[2], scope="acme/prod/eu/node-1")], "delegation 2: line 2"),
        ([give(ORG_KEY, "acme/prod", ORG_KEY)], "delegation 1: line 3: .* delegates to itself"),
        ([FIRST, give(KEYS[1], WORKER, KEYS[2], signs=(99, 250))], "delegation 2: line 4: expected to begin while"),
        ([FIRST, give(KEYS[1], WORKER, KEYS[2], signs=(200, 250))], "delegation 2: line 4: .* 1970-01-01T00:03:20Z"),
        (
            [FIRST, give(KEYS[1], WORKER, KEYS[2], successors=1001)],
            "delegation 2: line 5: expected 1970-01-01T00:16:40Z",
        ),
        ([FIRST[:-1]], "delegation 1: "),
    ],
)
def test_a_chain_with_a_link_that_does_not_hold_is_refused_whole(notes: list[bytes], message: str) -> None:
    with pytest.raises(NoteError, match=message):
        epoch_keys(LOG, roots=[ORG], delegations=notes)


def test_two_keys_of_one_name_and_hash_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four bytes can be searched for: whoever finds a second key must not get the rights of the first."""
    monkeypatch.setattr(VerifierKey, "key_id", property(lambda _: b"same"))
    notes = [give(ORG_KEY, "acme/prod", KEYS[1]), give(ORG_KEY, "acme/prod", KEYS[2])]
    with pytest.raises(ChainError, match=r"delegation 2: line 3: .* the name and hash of another key"):
        epoch_keys(LOG, roots=[ORG], delegations=notes)


def test_two_keys_of_one_hash_under_the_logs_name_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under the scope's name their hashes differ, under the log's they do not: one could sign as both."""
    plain = VerifierKey.key_id.fget  # type: ignore[attr-defined]
    monkeypatch.setattr(VerifierKey, "key_id", property(lambda key: b"same" if key.name == LOG else plain(key)))
    notes = [give(ORG_KEY, "acme/prod", KEYS[1]), give(ORG_KEY, "acme/prod", KEYS[2])]
    with pytest.raises(ChainError, match=r"000001-5f3a90c2\+73616d65 is the name and hash of another key"):
        epoch_keys(LOG, roots=[ORG], delegations=notes)


@given(st.data())
def test_a_file_with_any_byte_altered_gives_no_key(data: st.DataObject) -> None:
    whole = format_delegations([FIRST, SECOND, THIRD])
    altered = bytearray(whole)
    at = data.draw(st.integers(0, len(whole) - 1))
    altered[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(NoteError):
        epoch_keys(LOG, roots=[ORG], delegations=parse_delegations(bytes(altered)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A delegation as somebody might try it: who gives to whom, by numbers into KEYS."""

    by: int
    to: int
    by_scope: str
    scope: str
    from_s: int
    until_s: int
    successors_s: int


SCOPES = ("acme", "acme/prod", "acme/prod/eu", WORKER, "acme/prod/us")
STEPS = st.builds(
    Step,
    by=st.integers(0, 3),
    to=st.integers(1, 3),
    by_scope=st.sampled_from(SCOPES),
    scope=st.sampled_from(SCOPES),
    from_s=st.integers(0, 5),
    until_s=st.integers(6, 8),
    successors_s=st.integers(8, 10),
)
LIKELY = st.lists(STEPS, max_size=4)


def holds(steps: Sequence[Step]) -> dict[int, Step] | None:
    """Judge a chain the slow way, from the rules as they are written; the root is key 0 with `acme/prod`."""
    given_to: dict[int, Step] = {}
    successors: dict[int, int] = {}
    for step in steps:
        if step.by == step.to or step.to in given_to:
            return None
        if step.by == 0 and step.by_scope == "acme/prod":
            scope = "acme/prod"
        elif step.by in given_to and given_to[step.by].scope == step.by_scope:
            parent = given_to[step.by]
            scope = parent.scope
            inside = parent.from_s <= step.from_s < parent.until_s and step.successors_s <= parent.successors_s
            if not inside or step.by in successors:
                return None
            successors[step.by] = step.to
        else:
            return None
        if scope != step.scope and not step.scope.startswith(scope + "/"):
            return None
        given_to[step.to] = step
    return given_to


@st.composite
def growing(draw: st.DrawFn) -> list[Step]:
    """Draw steps each of which mostly follows from the one before, so that good chains are not rare."""
    steps: list[Step] = []
    for number in range(draw(st.integers(1, 3))):
        step = draw(STEPS)
        if draw(st.integers(0, 5)):
            last = steps[-1] if steps else None
            step = replace(
                step,
                by=number,
                to=number + 1,
                by_scope="acme/prod" if last is None else last.scope,
                scope=draw(st.sampled_from([each for each in SCOPES if covers("acme/prod", each)]))
                if last is None
                else last.scope,
                from_s=step.from_s if last is None else min(7, max(last.from_s, step.from_s)),
            )
        steps.append(step)
    return [replace(each, until_s=max(each.until_s, each.from_s + 1)) for each in steps]


@pytest.mark.slow
@given(st.one_of(growing(), LIKELY))
@settings(max_examples=300)
def test_a_chain_counts_exactly_when_every_link_holds(steps: list[Step]) -> None:
    notes = [
        give(
            KEYS[step.by],
            step.by_scope,
            KEYS[step.to],
            scope=step.scope,
            signs=(step.from_s, step.until_s),
            successors=step.successors_s,
        )
        for step in steps
    ]
    expected = holds(steps)
    if expected is None:
        with pytest.raises(NoteError):
            epoch_keys(LOG, roots=[ORG], delegations=notes)
        return
    keys = epoch_keys(LOG, roots=[ORG], delegations=notes)
    wanted = {
        (KEYS[number].public, step.from_s, step.until_s) for number, step in expected.items() if covers(step.scope, LOG)
    }
    assert {(each.key.public, each.from_s, each.until_s) for each in keys[1:]} == wanted
    # What somebody who reads the result relies on: nothing outlasts what the root has given, nothing is wider.
    latest = max((step.successors_s for step in steps if step.by == 0), default=0)
    assert all(each.until_s <= latest for each in keys[1:])
