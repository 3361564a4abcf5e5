"""A token of SoftHSM: a hardware module in software, for tests."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from pkcs11 import unload

from support.needs import missing

PIN: Final = "correct horse"
_PLACES: Final = ("usr/lib/softhsm", "usr/lib/*/softhsm", "usr/lib64/pkcs11", "usr/local/lib/softhsm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token and the library that speaks to it."""

    label: str
    module: Path

    def uri(self, label: str, more: str = "") -> str:
        """Name a key of the token."""
        return f"pkcs11:token={self.label};object={label}?module-path={self.module}{more}"


@contextmanager
def make_token(folder: Path) -> Iterator[Token]:
    """Make a token below `folder`, which programs that are started meanwhile find too."""
    modules = [module for place in _PLACES for module in Path("/").glob(f"{place}/libsofthsm2.so")]
    tool = shutil.which("softhsm2-util")
    if not modules or tool is None:
        missing("softhsm2 is not installed: apt-get install softhsm2")
    tokens = folder / "tokens"
    tokens.mkdir()
    configuration = folder / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {tokens}\nlog.level = ERROR\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTHSM2_CONF", str(configuration))
        arguments = ["--free", "--label", "situs", "--pin", PIN, "--so-pin", "security officer"]
        subprocess.run([tool, "--init-token", *arguments], check=True, capture_output=True)
        # The library reads its configuration once, so a process that has used another token must let go of it.
        unload(str(modules[0]))
        try:
            yield Token(label="situs", module=modules[0])
        finally:
            unload(str(modules[0]))
