"""A cell reports to nobody: what onnxruntime does by itself is turned off before it is loaded."""

import os
import subprocess
import sys

import pytest

SHOW = "import {}; import os; print(os.environ.get('ORT_DISABLE_TELEMETRY'))"


def shown(module: str, **variables: str) -> str:
    own = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    command = [sys.executable, "-c", SHOW.format(module)]
    return subprocess.run(command, env={**own, **variables}, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.slow
@pytest.mark.parametrize("module", ["inference", "inference.cli", "inference.server", "inference.digits"])
def test_no_part_of_a_cell_loads_onnxruntime_with_its_telemetry(module: str) -> None:
    assert shown(module) == "1"


@pytest.mark.slow
def test_whoever_sets_the_variable_decides() -> None:
    assert shown("inference", ORT_DISABLE_TELEMETRY="0") == "0"
