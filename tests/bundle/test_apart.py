"""A policy that is accepted in a process of its own is the one that would have been accepted here."""

from dataclasses import replace

import pytest
from bundle.world import ONE, TWO, policy, signed

from extproc.bundle import apart
from extproc.bundle.accept import accept
from extproc.bundle.apart import accept_apart
from extproc.bundle.errors import BundleError, RollbackError, UntrustedError
from extproc.strict_yaml import DocumentError


@pytest.mark.slow
def test_the_result_is_the_same() -> None:
    data = signed(policy(3))
    there, here = accept_apart(data, file="p.yaml", trust=TWO), accept(data, file="p.yaml", trust=TWO)
    assert there == here
    assert there.compiled.canonical == here.compiled.canonical
    assert there.compiled.tables.index == here.compiled.tables.index


@pytest.mark.slow
def test_what_is_refused_here_is_refused_there_in_the_same_words() -> None:
    last = accept(policy(3), file="p.yaml", trust=None).standing
    cases = [
        (UntrustedError, {"data": policy(), "trust": ONE, "last": None}),
        (RollbackError, {"data": policy(2), "trust": None, "last": last}),
        (DocumentError, {"data": policy().replace(b"country: DE", b"country: EU"), "trust": None, "last": None}),
        (DocumentError, {"data": b"a: [", "trust": None, "last": None}),
    ]
    for kind, given in cases:
        with pytest.raises(kind) as here:
            accept(file="p.yaml", **given)  # type: ignore[arg-type]
        with pytest.raises(kind) as there:
            accept_apart(file="p.yaml", **given)  # type: ignore[arg-type]
        assert str(there.value) == str(here.value)
    forced = accept_apart(policy(2), file="p.yaml", trust=None, last=last, forced_version=2)
    assert forced.standing == replace(last, version=2, revision=forced.standing.revision, digest=forced.standing.digest)


@pytest.mark.slow
def test_a_process_that_ends_badly_is_an_error_with_a_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "TIME_LIMIT_S", 0.001)
    with pytest.raises(BundleError, match=r"p.yaml: no process could read it .*Mend: check the limits"):
        accept_apart(policy(), file="p.yaml", trust=None)
    monkeypatch.undo()
    monkeypatch.setattr("extproc.bundle.apart.sys.executable", "/bin/false")
    with pytest.raises(BundleError, match=r"ended with 1 \(silent\)"):
        accept_apart(policy(), file="p.yaml", trust=None)
