"""Decision ids that say which worker made them, and stay ids."""

import uuid

import pytest

from extproc.sidecar.identifiers import DecisionIds, worker_of

_AT_S = 1_800_000_000.123


@pytest.mark.parametrize("worker", [0, 1, 7, 255])
def test_an_id_says_who_made_it_and_is_a_uuid_of_version_7(worker: int) -> None:
    ids = DecisionIds(worker)
    for _ in range(300):
        made = ids.make(_AT_S)
        parsed = uuid.UUID(made)
        assert (str(parsed), parsed.version, parsed.variant) == (made, 7, uuid.RFC_4122)
        assert parsed.int >> 80 == 1_800_000_000_123
        assert worker_of(made) == worker


def test_no_two_ids_of_one_millisecond_are_equal_whoever_made_them() -> None:
    makers = [DecisionIds(), *(DecisionIds(worker) for worker in range(4))]
    made = [ids.make(_AT_S) for ids in makers for _ in range(4000)]
    assert len(set(made)) == len(made)


def test_every_other_random_bit_is_still_random() -> None:
    ids = DecisionIds(3)
    ones = zeros = 0
    for _ in range(300):
        number = uuid.UUID(ids.make(_AT_S)).int
        ones |= number
        zeros |= ~number
    both = ones & zeros & ((1 << 76) - 1)
    assert both == ((1 << 76) - 1) & ~(0b11 << 62) & ~0xFF
