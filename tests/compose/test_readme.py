"""The commands of compose/README.md, run as they are printed, with a stand-in for the engine."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from compose.files import COMPOSE, read_request
from compose.stand_in import Stand, main
from support.needs import missing
from support.processes import left_behind

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

_TEXT = (COMPOSE / "README.md").read_text()


def _block(heading: str) -> str:
    section = _TEXT[_TEXT.index(f"\n## {heading}\n") :]
    found = re.search(r"```sh\n(.*?)```", section, re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture
def stand(envoy_binary: Path) -> Iterator[Stand]:
    if shutil.which("curl") is None:
        missing("curl is not installed here")
    # Not pytest's folder: the path of a Unix socket is short.
    with tempfile.TemporaryDirectory(prefix="situs-") as folder:
        made = Stand.make(Path(folder), envoy_binary)
        try:
            yield made
        finally:
            made.kill_all()
        assert left_behind(Path(folder)) == []


def test_the_commands_do_what_stands_behind_them(stand: Stand) -> None:
    script = "\n".join([_block("Start"), _block("Play"), "docker compose down --volumes"])
    script = script.replace("127.0.0.1:10000", f"127.0.0.1:{stand.ports['listener']}")
    environment = {**os.environ, "PATH": f"{stand.root / 'bin'}:{os.environ['PATH']}", "SITUS_STAND": str(stand.root)}
    done = subprocess.run(
        ["/bin/bash", "-e", "-c", script],
        cwd=COMPOSE,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=270,
    )
    said = f"{done.stdout}\n{done.stderr}"
    assert done.returncode == 0, said
    promised = re.findall(
        r"^ask .*# (\d{3})((?: [a-z]+-[a-z]+(?: or [a-z]+-[a-z]+)*)?)(?::|$)", _block("Play"), re.MULTILINE
    )
    answered = re.findall(r"^(\d{3}) ([a-z-]*)$", done.stdout, re.MULTILINE)
    assert len(promised) == len(answered) == script.count("\nask 31."), said
    for (status, regions), (came, region) in zip(promised, answered, strict=True):
        assert came == status, said
        assert region in regions.strip().split(" or "), said
    assert "me-dxb is suspended until 2099-12-31" in said
    assert "me-dxb is resumed" in said
    assert "RESULT VERIFIED" in said
    assert "eu-fra  up" in said
    assert '"region":"us-iad"' in (stand.root / "said" / "cell-us-iad").read_text()


def test_the_stand_in_knows_no_other_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "stand.json").write_text('{"envoy": "/nowhere", "ports": {}}')
    monkeypatch.setenv("SITUS_STAND", str(tmp_path))
    with pytest.raises(SystemExit, match="does not know this: docker compose pause situs"):
        main(["compose", "pause", "situs"])


def test_the_request_is_one_of_the_digits(digits_store: Path) -> None:
    samples = (digits_store / "digits" / "samples.json").read_text()
    (tensor,) = read_request()["inputs"]
    assert tensor["shape"] == [1, 64]
    assert str(tensor["data"]) in samples
