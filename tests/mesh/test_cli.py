"""`situs mesh render`, as a person runs it."""

import argparse
from importlib.resources import files
from pathlib import Path

import pytest

from extproc.cli import mesh
from extproc.mesh.references import render_references

POLICY = str(files("extproc.policy") / "examples" / "demo.yaml")
MESH = str(files("extproc.mesh") / "examples" / "demo.yaml")


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    mesh.register(parser.add_subparsers())
    args = parser.parse_args(["mesh", "render", "--for", "envoy", *arguments])
    code: int = args.run(args)
    return code


def body(text: str) -> str:
    return text[text.index("\nnode:") :]


@pytest.mark.slow
def test_it_writes_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--policy", POLICY, "--mesh", MESH) == 0
    text = capsys.readouterr().out
    assert body(text) == body(render_references()["envoy.yaml"])
    assert text.startswith("# Rendered by `situs mesh render` from demo.yaml\n# (sha256:")


@pytest.mark.slow
def test_it_replaces_a_file_whole(tmp_path: Path) -> None:
    output = tmp_path / "envoy.yaml"
    output.write_text("old")
    assert run("--policy", POLICY, "--mesh", MESH, "--output", str(output)) == 0
    assert body(output.read_text()) == body(render_references()["envoy.yaml"])
    assert list(tmp_path.iterdir()) == [output]


@pytest.mark.slow
def test_a_faulty_mesh_file_is_78_and_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    faulty, output = tmp_path / "mesh.yaml", tmp_path / "envoy.yaml"
    faulty.write_text(Path(MESH).read_text().replace("eu-ams", "eu-amz"))
    assert run("--policy", POLICY, "--mesh", str(faulty), "--output", str(output)) == 78
    assert "did you mean 'eu-ams'?" in capsys.readouterr().err
    assert not output.exists()


def test_a_file_that_is_not_there_is_78(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--policy", str(tmp_path / "policy.yaml"), "--mesh", MESH) == 78
    assert "the file does not exist" in capsys.readouterr().err


@pytest.mark.slow
def test_an_output_that_cannot_be_written_is_78(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--policy", POLICY, "--mesh", MESH, "--output", str(tmp_path / "no" / "envoy.yaml")) == 78
    assert "cannot be read or written" in capsys.readouterr().err


@pytest.mark.slow
def test_a_rendering_is_compared_with_what_is_deployed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = ("--policy", POLICY, "--mesh", MESH)
    assert run(*common, "--directory", str(tmp_path / "deployed")) == 0
    assert run(*common, "--diff", str(tmp_path / "deployed")) == 0
    assert not capsys.readouterr().out
    deployed = tmp_path / "deployed" / "envoy.yaml"
    deployed.write_text(deployed.read_text().replace('message_timeout: "1s"', 'message_timeout: "9s"'))
    assert run(*common, "--diff", str(tmp_path / "deployed")) == 3
    out = capsys.readouterr().out
    changed = [line.split(maxsplit=1) for line in out.splitlines() if line[0] in "+-" and line[1] == " "]
    assert changed == [["-", 'message_timeout: "9s"'], ["+", 'message_timeout: "1s"']]
    assert deployed.read_text().count("9s") == 1, "a difference is shown, not made"


@pytest.mark.slow
def test_everything_differs_from_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--policy", POLICY, "--mesh", MESH, "--diff", str(tmp_path)) == 3
    assert capsys.readouterr().out.startswith("--- /dev/null\n+++ envoy.yaml\n")


@pytest.mark.slow
def test_an_envoy_that_is_not_there_is_78(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--policy", POLICY, "--mesh", MESH, "--into", str(tmp_path / "mine.yaml")) == 78
    assert "mine.yaml cannot be read" in capsys.readouterr().err


@pytest.mark.slow
def test_the_pieces_for_another_envoy(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--policy", POLICY, "--mesh", MESH, "--part", "fragment") == 0
    assert "# 2. The listener: set these fields." in capsys.readouterr().out
