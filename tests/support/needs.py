"""What a test needs beyond PyPI. Where it is missing the test skips and says so; in CI nothing may skip."""

import os
from typing import NoReturn

import pytest


def missing(what: str) -> NoReturn:
    """Skip the test because `what` is missing, or fail it where nothing may skip."""
    if os.environ.get("SITUS_TESTS_MUST_NOT_SKIP") == "1":
        pytest.fail(what)
    pytest.skip(what)
