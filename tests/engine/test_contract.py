"""What every engine does alike."""

import multiprocessing
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest
from engine.work import double, fail_at_three

from extproc.engine import Engine

if TYPE_CHECKING:
    from collections.abc import Generator


def test_results_come_in_the_order_of_the_items(engine: Engine) -> None:
    assert engine.workers >= 1
    assert list(engine.run(double, range(50))) == list(range(0, 100, 2))
    assert list(engine.run(double, [])) == []
    assert list(engine.run(double, [7])) == [14]
    assert not multiprocessing.active_children()


def test_what_the_work_raises_is_raised_and_ends_the_run(engine: Engine, tmp_path: Path) -> None:
    items = [str(tmp_path / str(n)) for n in range(200)]
    results = engine.run(fail_at_three, items)
    assert [next(results) for _ in range(3)] == items[:3]
    with pytest.raises(ValueError, match="three"):
        next(results)
    # Some were handed out ahead; most were not, and never will be.
    assert len(list(tmp_path.iterdir())) < 100
    assert not multiprocessing.active_children()


def test_a_run_that_is_left_early_leaves_nothing(engine: Engine, tmp_path: Path) -> None:
    items = [str(tmp_path / str(10 + n * 10)) for n in range(200)]
    results = cast("Generator[str]", engine.run(fail_at_three, items))
    with closing(results):
        assert next(results) == items[0]
    assert len(list(tmp_path.iterdir())) < 100
    assert not multiprocessing.active_children()
