"""The small parts of the sidecar."""

import uuid
from pathlib import Path

import pytest

from extproc.sidecar.events import configure_events
from extproc.sidecar.identifiers import DecisionIds
from extproc.sidecar.watch import Watcher, signatures


def test_decision_ids_are_uuids_of_version_7_in_order_of_time() -> None:
    ids = DecisionIds()
    made = [ids.make(1_800_000_000.0 + number / 1000) for number in range(600)]
    assert len(set(made)) == 600
    assert made == sorted(made)
    for number, each in enumerate(made):
        parsed = uuid.UUID(each)
        assert (str(parsed), parsed.version, parsed.variant) == (each, 7, uuid.RFC_4122)
        assert parsed.int >> 80 == 1_800_000_000_000 + number


class _Changes:
    def __init__(self, *paths: Path) -> None:
        self.seen: list[frozenset[Path]] = []
        self.settles = True
        self.watcher = Watcher(signatures(paths), self._changed)

    async def _changed(self, paths: frozenset[Path]) -> bool:
        self.seen.append(paths)
        return self.settles

    async def look_twice(self) -> None:
        await self.watcher.look()
        await self.watcher.look()


async def test_the_watcher_sees_every_way_in_which_a_file_changes(tmp_path: Path) -> None:
    watched, other = tmp_path / "watched", tmp_path / "other"
    watched.write_text("a")
    other.write_text("o")
    changes = _Changes(watched, other)
    await changes.look_twice()
    assert changes.seen == []

    watched.write_text("in place")
    await changes.look_twice()
    replacement = tmp_path / "replacement"
    replacement.write_text("in place")
    replacement.replace(watched)
    await changes.look_twice()
    watched.unlink()
    await changes.look_twice()
    watched.write_text("back")
    await changes.look_twice()
    await changes.look_twice()
    assert changes.seen == [frozenset({watched})] * 4


async def test_the_watcher_sees_the_symbolic_links_of_a_config_map_swapped(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "policy.yaml").write_text("same")
    (tmp_path / "data").symlink_to("first")
    (tmp_path / "policy.yaml").symlink_to("data/policy.yaml")
    changes = _Changes(tmp_path / "policy.yaml")
    (tmp_path / "new").symlink_to("second")
    (tmp_path / "new").replace(tmp_path / "data")
    await changes.look_twice()
    assert changes.seen == [frozenset({tmp_path / "policy.yaml"})]


async def test_a_file_is_not_read_while_somebody_writes_it(tmp_path: Path) -> None:
    watched = tmp_path / "watched"
    watched.write_text("old")
    changes = _Changes(watched)
    with watched.open("w") as file:
        for row in range(5):
            file.write(f"row {row}\n")
            file.flush()
            await changes.watcher.look()
    assert changes.seen == []
    await changes.watcher.look()
    assert changes.seen == [frozenset({watched})]


async def test_a_change_that_is_not_settled_is_reported_again(tmp_path: Path) -> None:
    watched = tmp_path / "watched"
    watched.write_text("old")
    changes = _Changes(watched)
    changes.settles = False
    watched.write_text("newer")
    await changes.look_twice()
    await changes.watcher.look()
    changes.settles = True
    await changes.look_twice()
    assert len(changes.seen) == 3


async def test_what_changes_before_the_first_look_is_noticed(tmp_path: Path) -> None:
    watched = tmp_path / "watched"
    watched.write_text("as loaded")
    seen = signatures([watched])
    watched.write_text("changed while the log was recovered")
    changes = _Changes(watched)
    changes.watcher = Watcher(seen, changes._changed)
    await changes.look_twice()
    assert changes.seen == [frozenset({watched})]


def test_losing_a_line_of_the_event_log_costs_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    import structlog  # noqa: PLC0415 - configured below, and put back

    class Full:
        def write(self, _text: str) -> int:
            raise OSError(28, "No space left on device")

        def flush(self) -> None:
            raise OSError(28, "No space left on device")

        def isatty(self) -> bool:
            return False

    try:
        configure_events(Full())  # type: ignore[arg-type]
        structlog.get_logger("test").critical("lost")
    finally:
        structlog.reset_defaults()
    assert capsys.readouterr().err == ""
