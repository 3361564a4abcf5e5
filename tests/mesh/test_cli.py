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
