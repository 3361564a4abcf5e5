"""The small parts of the sidecar."""

import uuid
from pathlib import Path

import pytest

from extproc.sidecar.events import configure_events
from extproc.sidecar.identifiers import DecisionIds
from extproc.sidecar.watch import Watcher


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
        self.watcher = Watcher(paths, self._changed)

    async def _changed(self, paths: frozenset[Path]) -> None:
        self.seen.append(paths)


async def test_the_watcher_sees_every_way_in_which_a_file_changes(tmp_path: Path) -> None:
    watched, other = tmp_path / "watched", tmp_path / "other"
    watched.write_text("a")
    other.write_text("o")
    changes = _Changes(watched, other)
    await changes.watcher.look()
    assert changes.seen == []

    watched.write_text("in place")
    await changes.watcher.look()
    replacement = tmp_path / "replacement"
    replacement.write_text("in place")
    replacement.replace(watched)
    await changes.watcher.look()
    watched.unlink()
    await changes.watcher.look()
    watched.write_text("back")
    await changes.watcher.look()
    await changes.watcher.look()
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
    await changes.watcher.look()
    assert changes.seen == [frozenset({tmp_path / "policy.yaml"})]


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
