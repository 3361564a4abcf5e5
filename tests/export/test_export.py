"""evidence.zip on another machine: a folder that knows nothing but the zip file and a key."""

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from base64 import b64decode
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from google.protobuf.json_format import Parse
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st
from independent.programs import compile_judges, program, run
from ledger.world import IDENTITY, KEY, NOW_S, config, decision, open_log, small_log, write_log
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2  # type: ignore[import-untyped]
from parquet.records import every_kind, many

from extproc.archive import open_archive
from extproc.audit.check_proof import check_selection, is_selection
from extproc.audit.findings import Category
from extproc.audit.published import find_published
from extproc.audit.trust import Trust
from extproc.audit.verify import verify
from extproc.cli.main import main
from extproc.export.csv_text import cell_of, csv_lines
from extproc.export.dsse import IN_TOTO, key_id, open_envelope, pae, seal_envelope
from extproc.export.otlp import ATTRIBUTES, framed, json_line, requests_of
from extproc.export.otlp_pb2 import ExportLogsServiceRequest
from extproc.export.parts import Extras
from extproc.export.picked import MissingTileError, pick_logs
from extproc.export.selection import export_selection
from extproc.ledger.entries import close_to_entry, decision_to_entry, gap_to_entry
from extproc.ledger.tiles import decode_entries
from extproc.notes.errors import MalformedError, SignatureError, UnknownSignerError
from extproc.notes.keys import create_key, generate_key
from extproc.notes.note import KeyType, VerifierKey, format_note, format_vkey, make_cosignature, parse_note

TRUST = Trust(keys=(KEY.verifier(IDENTITY.signer),))


def _export(*arguments: object) -> int:
    return main(["audit", "export", *map(str, arguments), "--engine", "serial"])


def _witness(log: Path) -> VerifierKey:
    """Put the checkpoint beside a log as a witness has cosigned it."""
    key = generate_key()
    witness = VerifierKey(name="witness.example", public=key.public, type=KeyType.COSIGNATURE)
    note = parse_note((log / "log/checkpoint").read_bytes())
    cosignature = make_cosignature(note.text, witness, key.sign, at_s=int(NOW_S))
    (log / "witnessed").write_bytes(format_note(replace(note, signatures=(*note.signatures, cosignature))))
    return witness


def _files(path: Path) -> dict[str, bytes]:
    with ZipFile(path) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_judges(tmp_path_factory.mktemp("go"))


@pytest.mark.slow
def test_whole_logs_verify_on_another_machine(tmp_path: Path, programs: Path) -> None:
    sizes = [small_log(tmp_path / "logs", count) for count in (300, 0)]
    witnesses = [_witness(log) for log in sizes]
    assert _export(tmp_path / "logs", "--output", tmp_path / "evidence.zip") == 0
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "mine.vkey").write_text(format_vkey(KEY.verifier(IDENTITY.signer)) + "\n")
    shutil.move(tmp_path / "evidence.zip", elsewhere)
    shutil.rmtree(tmp_path / "logs")

    # 1. Ours, as the zip file and as its files, with no environment but where Python finds itself.
    with ZipFile(elsewhere / "evidence.zip") as opened:
        opened.extractall(elsewhere / "files")
    environment = {"PATH": os.environ["PATH"], "HOME": str(elsewhere)}
    for place in ("evidence.zip", "files"):
        command = [sys.executable, "-m", "extproc", "audit", "verify", place, "--key", "mine.vkey", "--json"]
        done = subprocess.run(command, cwd=elsewhere, env=environment, capture_output=True, text=True, check=False)
        assert (done.returncode, json.loads(done.stdout)["result"]) == (0, "verified"), done.stderr
    # 2. Go's, log by log, by the key under the log's own name.
    for log, witness in zip(sizes, witnesses, strict=True):
        (found,) = (elsewhere / "files").rglob(log.name)
        vkey = format_vkey(KEY.verifier(f"{IDENTITY.signer}/{log.name}"))
        go = run(programs / "sumdb", found, vkey, format_vkey(witness))
        assert go.returncode == 0, go.stderr
        assert int(go.stdout) in (304, 4)
    # 3. The list of files, by whatever reads such lists.
    sums = subprocess.run(
        [program("sha256sum"), "-c", "SHA256SUMS"],
        cwd=elsewhere / "files",
        capture_output=True,
        text=True,
        check=False,
    )
    assert sums.returncode == 0, sums.stdout
    # 4. And changed by one byte in any entry bundle, it does not.
    bundle = next((elsewhere / "files").rglob("entries/000"))
    data = bundle.read_bytes()
    bundle.write_bytes(data[:77] + bytes([data[77] ^ 1]) + data[78:])
    assert verify(elsewhere / "files", TRUST).exit_status == 2


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    every_kind(tmp_path / "logs")
    create_key(tmp_path / "sign.key")
    more = ("--csv", "--otlp", "--sign", tmp_path / "sign.key")
    for name in ("a.zip", "b.zip"):
        assert _export(tmp_path / "logs", "--output", tmp_path / name, *more) == 0
        os.utime(next((tmp_path / "logs").rglob("checkpoint")), (1, 1))
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    files = _files(tmp_path / "a.zip")
    assert {name.partition("/")[0] for name in files} == {
        "README.txt",
        "entry.binpb",
        "node-1",
        "trust",
        "csv",
        "otlp",
        "SHA256SUMS",
        "summary.json",
        "summary.dsse.json",
    }
    assert not list(tmp_path.glob(".*"))


def test_the_summary_says_what_was_found_and_is_signed(tmp_path: Path) -> None:
    log = every_kind(tmp_path / "logs")
    key = create_key(tmp_path / "sign.key")
    _export(
        tmp_path / "logs", "--output", tmp_path / "e.zip", "--sign", tmp_path / "sign.key", "--key", log / "log.vkey"
    )
    files = _files(tmp_path / "e.zip")
    statement = json.loads(files["summary.json"])
    (found,) = verify(tmp_path / "logs", TRUST).logs
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["subject"][0] == {"name": found.origin, "digest": {"rfc6962Sha256": found.root.hex()}}
    assert statement["subject"][1]["digest"]["sha256"] == sha256(files["SHA256SUMS"]).hexdigest()
    predicate = statement["predicate"]
    assert predicate["entries"]["decision"] == 5
    assert predicate["verification"]["result"] == "integrity"
    assert predicate["verification"]["findings"]["violation"] == 2
    assert predicate["verification"]["by_keys_of_the_exporter"] is True
    assert predicate["period"]["from"].startswith("2025-11-21T11:44:00")
    opened = open_envelope(files["summary.dsse.json"], [key.public])
    assert (opened.type, opened.payload) == (IN_TOTO, files["summary.json"])
    _export(tmp_path / "logs", "--output", tmp_path / "e.zip")
    assert "summary.dsse.json" not in _files(tmp_path / "e.zip")


def test_openssl_opens_the_envelope(tmp_path: Path) -> None:
    key = create_key(tmp_path / "sign.key")
    envelope = json.loads(seal_envelope(IN_TOTO, b"{}", key))
    # SPEC: the worked form of DSSE: PAE("http://example.com/HelloWorld", "hello world").
    assert pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )
    (tmp_path / "message").write_bytes(pae(envelope["payloadType"], b64decode(envelope["payload"])))
    (tmp_path / "signature").write_bytes(b64decode(envelope["signatures"][0]["sig"]))
    command = [program("openssl"), "pkeyutl", "-verify", "-rawin", "-inkey", "sign.key", "-in", "message"]
    done = subprocess.run(
        [*command, "-sigfile", "signature"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "Signature Verified Successfully" in done.stdout


def test_an_envelope_that_nobody_trusted_signed_is_refused() -> None:
    key, other = generate_key(), generate_key()
    sealed = seal_envelope(IN_TOTO, b'{"a":1}', key)
    assert open_envelope(sealed, [other.public, key.public]).payload == b'{"a":1}'
    envelope = json.loads(sealed)
    for change, error in (
        ({"signatures": []}, UnknownSignerError),
        ({"payload": "e30="}, SignatureError),
        ({"payloadType": "text/plain"}, SignatureError),
        ({"payload": "*"}, MalformedError),
        ({"signatures": 7}, MalformedError),
        ({"signatures": [{"keyid": key_id(other.public), "sig": ""}, *envelope["signatures"]]}, None),
    ):
        data = json.dumps(envelope | change).encode()
        if error is None:
            assert open_envelope(data, [key.public]).type == IN_TOTO
            continue
        with pytest.raises(error):
            open_envelope(data, [key.public])
    with pytest.raises(UnknownSignerError):
        open_envelope(sealed, [other.public])
    with pytest.raises(MalformedError):
        open_envelope(b"[]", [key.public])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "decisions", "deliveries"),
    [
        (("--decision", decision(3).id, "--decision", decision(5).id), 2, 2),
        (("--where", "sequence <= 4 AND transfer"), 4, 4),
        (("--where", "sequence IN (SELECT max(sequence) FROM decisions)"), 1, 1),
        (("--from", "2025-11-21T11:44:01.00Z", "--to", "2025-11-21T11:44:04"), 3, 3),
        (("--to", "2025-11-21T11:44:03", "--where", "sequence >= 2"), 1, 1),
    ],
)
def test_a_selection_proves_each_of_its_entries(
    tmp_path: Path, options: tuple[str, ...], decisions: int, deliveries: int
) -> None:
    many(tmp_path / "logs", 20)
    out = tmp_path / "s.zip"
    assert _export(tmp_path / "logs", "--output", out, *options) == 0
    shutil.rmtree(tmp_path / "logs")
    archive = open_archive(str(out))
    assert is_selection(archive)
    found = check_selection(archive, TRUST)
    assert (found.holds, len(found.checked)) == (True, 2 + decisions + deliveries)
    files = _files(out)
    kinds = [json.loads(line)["kind"] for line in files["entries.jsonl"].splitlines()]
    assert sorted(kinds) == sorted(["genesis", "config", *["decision"] * decisions, *["delivery"] * deliveries])
    assert json.loads(files["summary.json"])["predicate"]["verification"]["result"] == "verified"
    assert main(["audit", "check-proof", str(out)]) == 4
    (tmp_path / "mine.vkey").write_text(format_vkey(KEY.verifier(IDENTITY.signer)) + "\n")
    assert main(["audit", "check-proof", str(out), "--key", str(tmp_path / "mine.vkey")]) == 0


@pytest.mark.slow
def test_protoc_reads_an_entry_by_the_schema_in_the_file(tmp_path: Path) -> None:
    small_log(tmp_path / "logs", 3)
    assert _export(tmp_path / "logs", "--output", tmp_path / "s.zip", "--decision", decision(2).id) == 0
    with ZipFile(tmp_path / "s.zip") as opened:
        opened.extractall(tmp_path / "files")
    (entry,) = (tmp_path / "files").rglob("3.entry")
    arguments = ["--descriptor_set_in=entry.binpb", "--decode=situs.ledger.v1.Entry", "extproc/ledger/entry.proto"]
    done = subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", *arguments],
        cwd=tmp_path / "files",
        input=entry.read_bytes(),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert b'tenant: "shop"' in done.stdout
    for words in arguments:
        assert words in (tmp_path / "files/README.txt").read_text()


def test_a_growing_log_is_picked_as_its_checkpoint_has_it(tmp_path: Path) -> None:
    writer = open_log(tmp_path)
    writer.append([gap_to_entry(at_s=NOW_S, entries=n, first_at_s=1, last_at_s=2) for n in range(299)])
    writer.publish()
    archive = open_archive(str(tmp_path))
    logs = find_published(archive)
    picked = pick_logs(archive, logs)
    before = {name: picked.read(name) for name in picked.names()}
    writer.append([gap_to_entry(at_s=NOW_S, entries=n, first_at_s=1, last_at_s=2) for n in range(400)])
    writer.append([close_to_entry(at_s=NOW_S, reason="shutdown")])
    writer.close()
    for path in tmp_path.rglob("*.p"):
        if path.parent.name in ("0", "entries") and path.name == "001.p":
            shutil.rmtree(path)  # as the full tile allows
    assert {name: picked.read(name) for name in picked.names()} == before
    assert [picked.size(name) for name in picked.names()] == [len(data) for data in before.values()]
    found = verify(pick_logs(archive, logs), TRUST)
    assert {each.category for each in found.findings} == {Category.INCOMPLETE, Category.NOTE}  # gaps, and no wal
    with pytest.raises(FileNotFoundError):
        picked.read("another")


def test_a_log_without_a_hash_tile_is_not_exported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = small_log(tmp_path / "logs", 300)
    (log / "log/tile/0/000").unlink()
    archive = open_archive(str(tmp_path / "logs"))
    with pytest.raises(MissingTileError):
        pick_logs(archive, find_published(archive))
    assert _export(tmp_path / "logs", "--output", tmp_path / "e.zip") == 2
    assert "is missing" in capsys.readouterr().err
    assert not (tmp_path / "e.zip").exists()


def test_a_pruned_log_is_exported_without_what_is_gone(tmp_path: Path) -> None:
    log = write_log(tmp_path / "logs", [config(), *(decision_to_entry(decision(n), sequence=n) for n in range(1, 400))])
    (log / "log/tile/entries/000").unlink()
    assert _export(tmp_path / "logs", "--output", tmp_path / "e.zip") == 0
    files = _files(tmp_path / "e.zip")
    assert json.loads(files["summary.json"])["predicate"]["counts"]["pruned_bundles"] == 1
    assert not any(name.endswith("entries/000") for name in files)
    assert any(name.endswith("tile/0/000") for name in files)


def test_some_logs_of_many(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = (small_log(tmp_path / "logs", 2) for _ in range(2))
    assert _export(tmp_path / "logs", "--output", tmp_path / "e.zip", "--logs", f"{IDENTITY.signer}/{second.name}") == 0
    names = " ".join(_files(tmp_path / "e.zip"))
    assert (first.name in names, second.name in names) == (False, True)
    for arguments, words in (
        (("--logs", "other"), "no such log"),
        (("--decision", "x"), "expected the UUID"),
        (("--from", "yesterday"), "expected a day or a time"),
        (("--where", "nothing = 1"), "Binder Error"),
        (("--where", "true) UNION SELECT 1; COPY decisions TO '/tmp/x' --"), "syntax error"),
        (("--where", "false"), "nothing was chosen"),
        (("--sign", tmp_path / "none"), "cannot be opened"),
    ):
        capsys.readouterr()
        code = _export(tmp_path / "logs", "--output", tmp_path / "other.zip", *arguments)
        assert (code in (1, 2), words in capsys.readouterr().err) == (True, True), arguments
        assert not (tmp_path / "other.zip").exists()


def test_tables_as_csv_are_harmless_in_a_spreadsheet(tmp_path: Path) -> None:
    every_kind(tmp_path / "logs")
    _export(tmp_path / "logs", "--output", tmp_path / "e.zip", "--csv")
    files = _files(tmp_path / "e.zip")
    order, *_ = csv.DictReader(io.StringIO(files["csv/overrides.csv"].decode(), newline=""))
    assert order["reason"] == '\'=cmd|" /C calc"!A0'
    decisions = list(csv.DictReader(io.StringIO(files["csv/decisions.csv"].decode(), newline="")))
    assert [each["sequence"] for each in decisions] == ["1", "2", "3", "4", "5"]
    assert json.loads(decisions[0]["excluded"]) == [{"region": "ap-sgp", "reason": "no_permit", "by": "gdpr"}]
    assert decisions[3]["ingress"] == ""
    assert files["csv/gaps.csv"].count(b"\r\n") == 2


@given(st.lists(st.lists(st.one_of(st.none(), st.text(), st.integers(), st.booleans()), min_size=2, max_size=2)))
def test_csv_reads_back(rows: list[list[object]]) -> None:
    text = "".join(csv_lines(["a", "=b"], rows))
    header, *read = csv.reader(io.StringIO(text, newline=""))
    assert header == ["a", "'=b"]
    assert read == [[cell_of(value) for value in row] for row in rows]
    for cell in (cell for row in read for cell in row):
        assert not cell or cell[0] not in "=@+\t\r" or cell.lstrip("+-").isdigit()


def test_log_records_are_read_by_opentelemetrys_own_schema(tmp_path: Path) -> None:
    log = every_kind(tmp_path / "logs")
    _export(tmp_path / "logs", "--output", tmp_path / "e.zip", "--otlp")
    files = _files(tmp_path / "e.zip")
    (line,) = files[f"otlp/000-{log.name}.jsonl"].splitlines()
    read = Parse(line, ExportLogsServiceRequest())
    binary = files[f"otlp/000-{log.name}.binpb"]
    assert int.from_bytes(binary[:4]) == len(binary) - 4
    assert ExportLogsServiceRequest.FromString(binary[4:]) == read
    records = read.resource_logs[0].scope_logs[0].log_records
    # Whichever version of OpenTelemetry's own schema is installed here: the wire is the same in all of them.
    theirs = logs_service_pb2.ExportLogsServiceRequest.FromString(binary[4:]).resource_logs[0]
    (scope,) = _field(theirs, 2)
    known = _field(scope, 2)
    assert [(each.time_unix_nano, each.body.string_value) for each in known] == [
        (each.time_unix_nano, each.body.string_value) for each in records
    ]
    assert [each.attributes[0].key for each in known] == ["situs.log.origin"] * 29
    assert len(records) == 29
    assert [record.event_name for record in records[:4]] == [
        "situs.genesis",
        "situs.config",
        "situs.override",
        "situs.decision",
    ]
    assert {record.event_name for record in records} >= {"situs.malformed", "situs.delivery", "situs.close"}
    first = {each.key: each.value for each in records[3].attributes}
    assert first["situs.decision.id"].string_value == decision(1).id
    assert [each.string_value for each in first["situs.decision.plan"].array_value.values] == ["eu-fra", "us-east"]
    assert first["situs.log.index"].int_value == 3
    assert records[3].time_unix_nano == round((NOW_S + 1) * 1e6) * 1000
    assert {each.key for record in records for each in record.attributes} <= ATTRIBUTES.keys()
    assert records[10].severity_number == 17
    assert [each.severity_number for each in records if each.body.string_value.startswith("after_order")] == [13]
    assert '"severityNumber":9' in line.decode()


def _field(message: Message, number: int) -> Any:  # noqa: ANN401 - of a version that is not known here
    """Give a field by its number, because the versions of that schema differ in names."""
    return next(value for field, value in message.ListFields() if field.number == number)


def test_log_records_come_in_batches(tmp_path: Path) -> None:
    log = write_log(tmp_path, [gap_to_entry(at_s=NOW_S, entries=1, first_at_s=1, last_at_s=2)] * 700)
    entries = decode_entries((log / "log/tile/entries/000").read_bytes(), 256) * 3
    requests = list(requests_of("o", enumerate(entries)))
    assert [len(each.resource_logs[0].scope_logs[0].log_records) for each in requests] == [512, 256]
    assert framed(requests[1]) == framed(ExportLogsServiceRequest.FromString(framed(requests[1])[4:]))
    assert json.loads(json_line(requests[0]))["resourceLogs"][0]["scopeLogs"][0]["scope"]["name"] == "situs.evidence"


def test_a_selection_has_tables_and_log_records_too(tmp_path: Path) -> None:
    log = every_kind(tmp_path / "logs")
    more = ("--csv", "--otlp", "--key", generate_vkey(tmp_path / "other.vkey"))
    assert _export(tmp_path / "logs", "--output", tmp_path / "s.zip", "--from", "1970-01-01", *more) == 0
    files = _files(tmp_path / "s.zip")
    # All of it was made in that time, but for the two entries that nobody can read.
    assert sum(name.endswith(".entry") for name in files) == 27
    assert files["csv/decisions.csv"].count(b"\r\n") == 6
    assert f"otlp/000-{log.name}.jsonl" in files
    # The exporter's own key signed none of it, and the summary says so.
    verification = json.loads(files["summary.json"])["predicate"]["verification"]
    assert (verification["result"], verification["findings"]) == ("trust", {"trust": 27})


def generate_vkey(path: Path) -> Path:
    path.write_text(format_vkey(generate_key().verifier("other")) + "\n")
    return path


def test_an_entry_that_nobody_can_read_is_selected_by_sql_on_nothing_else(tmp_path: Path) -> None:
    log = every_kind(tmp_path / "logs")
    archive = open_archive(str(tmp_path / "logs"))
    (published,) = find_published(archive)
    for index in (26, 27):
        exported = export_selection(
            archive,
            {published: [index]},
            tmp_path / "s.zip",
            trust_for=lambda _: TRUST,
            authorship=True,
            extras=Extras(csv=True, otlp=True),
        )
        assert exported.entries == 1
        (line,) = _files(tmp_path / "s.zip")["entries.jsonl"].splitlines()
        assert json.loads(line)["index"] == index
        assert check_selection(open_archive(str(tmp_path / "s.zip")), TRUST).holds
    assert log.is_dir()
