"""Logs of many sizes, judged by programs that are not ours."""

from pathlib import Path

import pytest
from independent.judges import JUDGES
from independent.logs import SIZES, Logs

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("judge", JUDGES)
@pytest.mark.parametrize("size", SIZES)
def test_every_judge_accepts_a_log_of_any_size(logs: Logs, programs: Path, judge: str, size: int) -> None:
    """Keys change in the middle, and two witnesses have cosigned an earlier checkpoint."""
    assert JUDGES[judge](logs(size), programs) == size
