"""`situs mesh check`, as a person or a pipeline runs it."""

import argparse
import io
import json
import re
from importlib.resources import files
from pathlib import Path

import pytest

from extproc.cli import mesh
from extproc.mesh.istio.render import render_istio
from extproc.mesh.parse import load_mesh
from extproc.mesh.references import render_references
from extproc.mesh.rendering import Rendering
from extproc.policy.load import load_policy

POLICY = str(files("extproc.policy") / "examples" / "demo.yaml")
MESH = str(files("extproc.mesh") / "examples" / "demo.yaml")
ISTIO = str(files("extproc.mesh") / "examples" / "istio.yaml")

pytestmark = pytest.mark.slow


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    mesh.register(parser.add_subparsers())
    args = parser.parse_args(["mesh", "check", *arguments])
    code: int = args.run(args)
    return code


def check(*arguments: str, mesh_file: str = MESH) -> int:
    return run(*arguments, "--policy", POLICY, "--mesh", mesh_file)


@pytest.fixture(scope="module")
def reference() -> str:
    return render_references()["envoy.yaml"]


@pytest.fixture
def envoy(tmp_path: Path, reference: str) -> Path:
    path = tmp_path / "envoy.yaml"
    path.write_text(reference)
    return path


def test_what_is_rendered_is_in_order(envoy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(str(envoy)) == 0
    told = capsys.readouterr().out
    assert told == "nothing found. Checked: 1 listener, 17 clusters, 1 route that reaches a region\n"


def for_istio() -> Rendering:
    policy = load_policy(Path(POLICY))
    return render_istio(policy, load_mesh(Path(ISTIO), policy.tables, policy.reading), "")


def test_what_is_rendered_for_istio_is_in_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for_istio().write(tmp_path)
    assert check(str(tmp_path), mesh_file=ISTIO) == 0
    # What the injector is given is read, and is not of a kind that decides.
    assert re.search(r"Checked: \d+ resources \(not judged: .*Patch.*Values", capsys.readouterr().out)


def test_our_own_files_beside_what_is_rendered_are_passed_over(
    tmp_path: Path, envoy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for each in (POLICY, MESH):
        (tmp_path / f"our-{Path(each).parent.parent.name}.yaml").write_text(Path(each).read_text())
    assert check(str(tmp_path)) == 0
    assert "1 listener" in capsys.readouterr().out
    assert check(str(envoy), POLICY) == 78
    assert "a file of Situs' own" in capsys.readouterr().err


def test_standard_input_is_read(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(for_istio().text().encode())))
    assert check("-", mesh_file=ISTIO) == 0
    assert capsys.readouterr().out.startswith("nothing found. Checked: ")


def test_a_leak_is_4_and_a_fault_is_3(envoy: Path, reference: str, capsys: pytest.CaptureFixture[str]) -> None:
    envoy.write_text(reference.replace("use_remote_address: true", "use_remote_address: false"))
    assert check(str(envoy)) == 4
    told = capsys.readouterr().out
    assert told.startswith("1 leak: ")
    assert "use_remote_address" in told
    envoy.write_text(reference.replace("healthy_panic_threshold: {}", "healthy_panic_threshold: {value: 50}", 1))
    assert check(str(envoy)) == 3
    assert "  panic  " in capsys.readouterr().out


def test_a_terminal_is_given_colours(
    envoy: Path, reference: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    envoy.write_text(reference.replace("healthy_panic_threshold: {}", "healthy_panic_threshold: {value: 50}", 1))
    assert check(str(envoy)) == 3
    plain = capsys.readouterr().out
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    assert check(str(envoy)) == 3
    coloured = capsys.readouterr().out
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain


def test_json_and_sarif_are_whole(envoy: Path, reference: str, capsys: pytest.CaptureFixture[str]) -> None:
    envoy.write_text(reference.replace("healthy_panic_threshold: {}", "healthy_panic_threshold: {value: 50}", 1))
    assert check(str(envoy), "--json") == 3
    report = json.loads(capsys.readouterr().out)
    assert report["faults"] == 1
    assert report["policy"].startswith("sha256:")
    assert check(str(envoy), "--sarif") == 3
    assert json.loads(capsys.readouterr().out)["runs"][0]["results"][0]["ruleId"] == "panic"


def test_another_proxys_configuration_is_not_silence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "other.yaml"
    other.write_text("static_resources:\n  clusters:\n  - name: web\n")
    assert check(str(other)) == 3
    assert "nothing-to-judge" in capsys.readouterr().out


def test_what_cannot_be_read_is_78(tmp_path: Path, envoy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text("static_resources: [")
    assert check(str(envoy), str(broken)) == 78
    assert f"{broken}:" in capsys.readouterr().err
    assert check(str(tmp_path / "none.yaml")) == 78
    assert check("--admin", "http://127.0.0.1:1") == 78
    assert "the admin port cannot be asked" in capsys.readouterr().err
    assert run(str(envoy), "--policy", str(broken), "--mesh", MESH) == 78


def test_wrong_usage_is_1(envoy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(str(envoy), "--policy", POLICY) == 1
    assert "--mesh not given" in capsys.readouterr().err
    assert run(str(envoy)) == 1
    assert "--policy and --mesh not given" in capsys.readouterr().err
    assert check() == 1
    assert "nothing to check" in capsys.readouterr().err
    assert check("-", "-") == 1


def test_the_rules_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--rules") == 0
    told = capsys.readouterr().out
    assert "failure-mode-allow (leak): " in told
    assert "istio-namespace (fault): " in told
    assert run("--rules", "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert {"id", "severity", "title", "why"} == set(rows[0])


def test_the_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run("--help")
    told = capsys.readouterr().out
    for words in ("examples:", "--admin http://127.0.0.1:9901", "exit codes: 0 nothing found", '"routes_to_regions"'):
        assert words in told
