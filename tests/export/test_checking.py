"""What an export says of itself, held against what is in it."""

import json
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
from ledger.world import IDENTITY, KEY, config, small_log, write_log

from extproc.cli.main import main
from extproc.export.csv_text import cell_of, csv_lines
from extproc.notes.keys import create_key
from extproc.notes.note import format_vkey


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two logs in one signed file, a selection of them, and the keys."""
    folder = tmp_path_factory.mktemp("exported")
    small_log(folder / "logs", 2)
    write_log(folder / "logs", [config()])
    (folder / "log.vkey").write_text(format_vkey(KEY.verifier("acme")) + "\n")
    key = create_key(folder / "release.pem")
    (folder / "release.vkey").write_text(format_vkey(key.verifier("release")) + "\n")
    for name, more in (("e.zip", ["--csv"]), ("s.zip", ["--where", "true"])):
        arguments = ["export", str(folder / "logs"), "--output", str(folder / name), *more]
        assert (
            main(["audit", *arguments, "--key", str(folder / "log.vkey"), "--sign", str(folder / "release.pem")]) == 0
        )
    return folder


def _files(path: Path) -> dict[str, bytes]:
    with ZipFile(path) as file:
        return {each: file.read(each) for each in file.namelist()}


def _changed(tmp_path: Path, files: dict[str, bytes]) -> Path:
    with ZipFile(tmp_path / "changed.zip", "w", ZIP_DEFLATED) as file:
        for name, data in files.items():
            file.writestr(name, data)
    return tmp_path / "changed.zip"


def _verify(place: Path, exported: Path, capsys: pytest.CaptureFixture[str], *more: str) -> tuple[int, str]:
    capsys.readouterr()
    key = str(exported / "log.vkey")
    code = main(["audit", "verify", str(place), "--key", key, "--json", "--engine", "serial", *more])
    found = json.loads(capsys.readouterr().out)
    return code, " ".join(f"{each['category']}: {each['file']}: {each['message']}." for each in found["findings"])


def test_who_signed_the_summary_is_told(exported: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = _verify(exported / "e.zip", exported, capsys, "--key", str(exported / "release.vkey"))
    assert (code, "note: summary.dsse.json: summary.json is signed by a key that you gave." in found) == (0, True)
    assert "note: csv: what the exporter made of the records" in found
    code, found = _verify(exported / "e.zip", exported, capsys)
    assert (code, "is signed by no key that you gave, so it is nobody's word" in found) == (0, True)


def test_an_unpacked_export_is_checked_alike(
    exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with ZipFile(exported / "e.zip") as file:
        file.extractall(tmp_path)
    assert _verify(tmp_path, exported, capsys)[0] == 0
    (tmp_path / "csv/decisions.csv").write_text("nothing")
    code, found = _verify(tmp_path, exported, capsys)
    assert (code, "csv/decisions.csv: is not the file that SHA256SUMS lists" in found) == (2, True)


def test_a_log_that_was_taken_out_is_missed(exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = _files(exported / "e.zip")
    last = max(name.split("/")[2] for name in files if name.startswith(f"{IDENTITY.node}/") and "/log/" in name)
    kept = {name: data for name, data in files.items() if f"/{last}/" not in name}
    code, found = _verify(_changed(tmp_path, kept), exported, capsys)
    assert (code, f"entries of {IDENTITY.origin(last)}, which is not here" in found) == (2, True)


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("summary.json", lambda data: data.replace(b'"verified"', b'"wonderful"'), "signs another summary"),
        ("summary.json", lambda _: b"[]", "no summary of an export"),
        ("summary.json", lambda data: data.replace(b'"size": ', b'"size": 1'), "states another tree"),
        ("summary.dsse.json", lambda _: b"{}", "envelope: "),
        ("SHA256SUMS", lambda data: data + b"\n", "is not the list that summary.json names"),
        ("SHA256SUMS", None, "SHA256SUMS: is missing"),
        ("README.txt", lambda data: data + b"!", "README.txt: is not the file"),
        ("README.txt", None, "README.txt: is missing, and SHA256SUMS lists it"),
    ],
)
def test_what_was_changed_since_is_found(  # noqa: PLR0913, PLR0917 - a case and its fixtures
    exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, change: object, words: str
) -> None:
    files = _files(exported / "e.zip")
    if callable(change):
        files[name] = change(files[name])
    else:
        del files[name]
    code, found = _verify(_changed(tmp_path, files), exported, capsys, "--key", str(exported / "release.vkey"))
    assert (code, words in found) == (2, True), found


def test_what_was_added_since_is_told(exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = _files(exported / "e.zip") | {"more.txt": b"trust me"}
    code, found = _verify(_changed(tmp_path, files), exported, capsys)
    assert (code, "1 files that SHA256SUMS does not list were added since, more.txt" in found) == (0, True)


def test_a_selection_is_not_verified_as_logs(exported: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["audit", "verify", str(exported / "s.zip"), "--key", str(exported / "log.vkey")]) == 1
    assert "`situs audit check-proof`" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda data: data.replace(b'"digits"', b'"poems"', 1), "otherwise than it is"),
        (lambda data: data.partition(b"\n")[2], "does not show the entry of"),
        (lambda data: data.replace(b'"index": 0', b'"index": 77', 1), "which is not proven here"),
        (lambda data: data + b"{}\n", "does not show an entry"),
    ],
)
def test_what_is_shown_of_a_selection_is_what_is_proven(
    exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: object, words: str
) -> None:
    assert callable(change)
    key = ["--key", str(exported / "log.vkey")]
    assert main(["audit", "check-proof", str(exported / "s.zip"), *key]) == 0
    files = _files(exported / "s.zip")
    files["entries.jsonl"] = change(files["entries.jsonl"])
    capsys.readouterr()
    assert main(["audit", "check-proof", str(_changed(tmp_path, files)), *key]) == 2
    assert words in capsys.readouterr().out


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\t=1", "＝1+1", "＋1", "－1", "＠x"])  # noqa: RUF001 - on purpose
def test_no_text_begins_as_a_formula_nor_after_a_semicolon(text: str) -> None:
    header, line = csv_lines(["name", text], [["a", f"x;{text}"]])
    assert header == f'"name","\'{text}"\r\n'
    # Within quotes a semicolon is no border, wherever the spreadsheet comes from.
    assert line == f'"a","x;{text}"\r\n'
    assert cell_of(text) == f"'{text}"
