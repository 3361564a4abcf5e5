"""The bounded version of the thousand kills; `python -m bench.kills` is the whole."""

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_killed_at_any_moment_nothing_released_is_lost(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench.kills", "--kills", "24", "--seed", "7", "--limit-s", "120"]
    done = subprocess.run(
        [*command, "--work", str(tmp_path / "work"), "--output", str(tmp_path)],
        check=False,
        capture_output=True,
        text=True,
        timeout=200,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
    tally = json.loads((tmp_path / "kills.json").read_text())
    assert (tally["kills"], tally["lost"], tally["failures"]) == (24, 0, [])
    assert tally["released"] > 500
    assert set(tally["by_mode"]) == {"fsync", "page", "mixed", "observe"}
    assert "released entries lost** | **0**" in (tmp_path / "kills.md").read_text()
