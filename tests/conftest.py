"""Settings that hold for every test, and the two things that many of them share: an Envoy and a model."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from support.needs import missing

from extproc.mesh.binary import EnvoyNotFoundError, find_envoy

# Machines are shared: a slow example says nothing. The same examples each time, so that a red run is a red change.
settings.register_profile(
    "situs", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("situs")

OLDEST_ENVOY = "1.36.4"
_BUILT = Path(__file__).parents[1] / "build" / "models"


@pytest.fixture(scope="session")
def envoy_binary() -> Path:
    try:
        return find_envoy()
    except EnvoyNotFoundError as error:
        missing(str(error))


@pytest.fixture(scope="session")
def oldest_envoy() -> Path:
    """The oldest Envoy that is supported."""
    named = os.environ.get("SITUS_ENVOY_OLDEST", "")
    try:
        return find_envoy(named or str(_BUILT.parent / "envoy-oldest" / "envoy" / "_bin" / "envoy"))
    except EnvoyNotFoundError:
        missing(f"no Envoy {OLDEST_ENVOY}. Mend: make envoy-oldest, or name one in $SITUS_ENVOY_OLDEST")


@pytest.fixture(scope="session")
def digits_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model store with the digits model: the one that make built, else one made now."""
    if (_BUILT / "digits" / "samples.json").exists():
        return _BUILT
    store = tmp_path_factory.mktemp("digits-store")
    subprocess.run([sys.executable, "-m", "inference.digits", "--output", str(store)], check=True)
    return store
