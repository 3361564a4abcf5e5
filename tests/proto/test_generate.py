import subprocess
import sys
from pathlib import Path

import pytest

_GENERATE = Path(__file__).parents[2] / "proto" / "generate.py"


@pytest.mark.slow
def test_the_generated_code_is_that_of_the_schemas() -> None:
    done = subprocess.run([sys.executable, _GENERATE, "--check"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
