"""The quick way to read decisions gives what the long way gives, whatever the bytes."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger.world import NOW_S, REVISION, decision, shadow_refuses, shadowed

from extproc.audit.checks.compact import body_at, sequence_of
from extproc.audit.checks.decisions import DecisionReader
from extproc.audit.checks.jobs import Configuration
from extproc.audit.checks.slots import learn
from extproc.audit.findings import Finding, Findings
from extproc.core.reasons import Refusal
from extproc.core.steering import Deny
from extproc.ledger import entry_pb2 as pb
from extproc.ledger.entries import decision_to_entry
from extproc.notes.errors import MalformedError

_CATALOGUE = ("eu-fra", "eu-ams", "us-east", "ap-sgp")


def _field(tag: int, message: bytes) -> bytes:
    """Encode a field that holds a message."""
    size, digits = len(message), [tag]
    while size >= 0x80:
        digits.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes([*digits, size]) + message


def _bodies() -> list[bytes]:
    deny = Deny(refusal=Refusal.UNKNOWN_TENANT)
    made = [
        decision(1),
        decision(2),
        shadowed(decision(3)),
        shadow_refuses(decision(4), Refusal.UNKNOWN_MODEL),
        replace(decision(5), verdict=None, choice=None, transfers=(), steering=deny),
        replace(decision(6), choice=None, transfers=(), steering=deny),
    ]
    entries = [
        decision_to_entry(each, sequence=n) for n, each in zip((1, 127, 128, 70_000, 1 << 40, 6), made, strict=True)
    ]
    bodies = [entry[body_at(entry) :] for entry in entries]
    private = pb.Private(
        pseudonym=b"p" * 16, request=b"r" * 16, sealed=b"s" * 120, day="2026-11-21"
    ).SerializeToString()
    return [*bodies, *(body + _field(0x6A, private) for body in bodies)]


_BODIES = _bodies()


def _read(bodies: Sequence[bytes]) -> tuple[list[object], list[Finding], object]:
    findings = Findings("log")
    reader = DecisionReader(findings, first=0, buckets=1, whole=True, known=True)
    reader.configure(REVISION, Configuration(catalogue=_CATALOGUE, shadow=""))
    said: list[object] = []
    for index, body in enumerate(bodies):
        try:
            said.append(reader.take_decision(index, body))
        except MalformedError as error:
            said.append(str(error))
    return said, findings.all(), reader.gathered()


def _read_in_full(
    bodies: Sequence[bytes], monkeypatch: pytest.MonkeyPatch
) -> tuple[list[object], list[Finding], object]:
    with monkeypatch.context() as patch:
        patch.setattr("extproc.audit.checks.decisions.sequence_of", lambda _: (0, 0))
        return _read(bodies)


@pytest.fixture(scope="module")
def patch() -> pytest.MonkeyPatch:
    return pytest.MonkeyPatch()


def test_slots_are_found_in_ours() -> None:
    for body in _BODIES:
        sequence, start = sequence_of(body)
        read = pb.Decision.FromString(body)
        assert (sequence, body[2:18]) == (read.sequence, read.id)
        learnt = learn(body[start:], pb.Decision)
        assert learnt is not None
        slots = sum(map(len, (e.ListFields() for e in read.choice.estimates))) and 3 * 2
        private = 2 if read.HasField("private") else 0
        assert len(learnt[0]) == slots + private + bool(private)


def test_the_quick_way_gives_what_the_long_way_gives(patch: pytest.MonkeyPatch) -> None:
    # Each kind again and again, so that all but the first are read the quick way.
    bodies = [bytes([10, 16]) + n.to_bytes(16) + body[18:] for n in range(5) for body in _BODIES]
    assert _read(bodies) == _read_in_full(bodies, patch)


@given(
    body=st.sampled_from(_BODIES),
    harm=st.tuples(st.integers(0, 1 << 16), st.integers(0, 3), st.binary(max_size=3)),
    again=st.sampled_from(_BODIES),
)
def test_harmed_records_are_read_alike(
    patch: pytest.MonkeyPatch, body: bytes, harm: tuple[int, int, bytes], again: bytes
) -> None:
    at, old, new = harm
    at %= len(body)
    harmed = body[:at] + new + body[at + old :]
    # After sound ones, before and after itself, and with a field of another record behind it.
    bodies = [*_BODIES, harmed, body, harmed, body + again[18:], body + again, harmed]
    assert _read(bodies) == _read_in_full(bodies, patch)


@given(size=st.integers(1, 70_000), tag=st.sampled_from([0x22, 0x2A]))
def test_an_entry_that_is_its_time_and_one_message_is_told(size: int, tag: int) -> None:
    entry = pb.Entry(at_s=NOW_S).SerializeToString() + _field(tag, bytes(size))
    assert body_at(entry) == len(entry) - size
    assert body_at(entry + b"x") == 0
    assert body_at(entry[:-1]) == 0
    assert body_at(b"\x0a" + entry[1:]) == 0


@pytest.mark.parametrize("most", [0, 16])
def test_many_slots_are_told_by_one_number(most: int, patch: pytest.MonkeyPatch) -> None:
    bodies = [bytes([10, 16]) + n.to_bytes(16) + body[18:] for n in range(3) for body in _BODIES]
    with patch.context() as within:
        within.setattr("extproc.audit.checks.slots._MOST_PIECES", most)
        assert _read(bodies) == _read_in_full(bodies, patch)
