"""Proofs of single entries: made from tiles, checked by us, by a shell script, and refused when anything is changed."""

import json
import shutil
import subprocess
from base64 import b64decode
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from zipfile import ZipFile

import pytest
from independent.logs import Keys, make_log
from ledger.world import IDENTITY, KEY, NOW_S, config, decision, small_log, write_log

from extproc.archive import open_archive
from extproc.audit.check_proof import check_proof, check_selection
from extproc.audit.handout import ENTRY, PROOF, SCRIPT, SHOWN, handout_of
from extproc.audit.prove import NotFoundError, Proof, find_entry, prove, prove_all
from extproc.audit.published import find_published, read_entry, read_range
from extproc.audit.tlog_proof import HEADER, TlogProof, format_tlog_proof, parse_tlog_proof
from extproc.audit.trust import Trust
from extproc.cli.main import main
from extproc.ledger.checkpoint import Checkpoint, format_checkpoint, parse_checkpoint
from extproc.ledger.entries import decision_to_entry, parse_entry
from extproc.ledger.errors import ProofError
from extproc.ledger.log import LogWriter
from extproc.ledger.merkle import leaf_hash
from extproc.ledger.proofs import TileTree
from extproc.ledger.tiles import TileBuilder, encode_entry, format_tile_path
from extproc.notes.errors import MalformedError, SignatureError, UnknownSignerError
from extproc.notes.keys import generate_key
from extproc.notes.note import (
    KeyType,
    Note,
    VerifierKey,
    format_note,
    format_vkey,
    make_cosignature,
    make_signature,
    parse_note,
    sign_note,
)
from extproc.trust.tlog_policy import TrustPolicy, Witness, load_tlog_policy


def trusted(
    keys: tuple[VerifierKey, ...] = (KEY.verifier(IDENTITY.signer),), policy: TrustPolicy | None = None
) -> Trust:
    return Trust(keys=keys, policy=policy)


def _prove(root: Path, target: str) -> Proof:
    archive = open_archive(str(root))
    return prove(archive, find_entry(archive, target))


def _write(folder: Path, proof: Proof) -> Path:
    folder.mkdir(parents=True)
    for name, data in handout_of(proof).items():
        (folder / name).write_bytes(data)
    return folder


def test_every_entry_of_a_log_is_proven(tmp_path: Path) -> None:
    log = write_log(tmp_path, [config(), *(decision_to_entry(decision(n), sequence=n) for n in range(1, 300))])
    archive = open_archive(str(tmp_path))
    (published,) = find_published(archive)
    assert published.name == log.relative_to(tmp_path).as_posix()
    proofs = list(prove_all(archive, published, range(published.size)))
    assert [proof.entry for proof in proofs] == [data for _, data in read_range(archive, published, 0, 1 << 20)]
    for index, proof in enumerate(proofs):
        checked = check_proof(proof.proof, proof.entry, trusted())
        assert (checked.index, checked.size, checked.root) == (index, published.size, published.root)
        assert checked.origin == published.origin


def test_a_decision_is_found_by_its_id_and_by_its_place(tmp_path: Path) -> None:
    log = small_log(tmp_path, 5)
    proof = _prove(tmp_path, decision(3).id)
    assert parse_entry(proof.entry).decision.sequence == 3
    name = log.relative_to(tmp_path).as_posix()
    for target in (f"{name}:4", f"{IDENTITY.signer}/{log.name}:4"):
        assert _prove(tmp_path, target) == proof
    assert _prove(log, f"{IDENTITY.signer}/{log.name}:4").entry == proof.entry
    for target, why in (
        (decision(77).id, "no decision with this id among 9 entries"),
        ("something", "neither a decision's UUID nor"),
        (f"{name}:9", "holds entries 0 to 8"),
        ("elsewhere:1", "no such log here"),
    ):
        with pytest.raises(NotFoundError, match=why):
            _prove(tmp_path, target)
    with pytest.raises(NotFoundError, match="no published log"):
        _prove(log / "log" / "tile", "x:1")


def test_progress_is_told_and_what_was_pruned_is_named(tmp_path: Path) -> None:
    log = write_log(tmp_path, [config(), *(decision_to_entry(decision(n), sequence=n) for n in range(1, 300))])
    archive = open_archive(str(tmp_path))
    seen: list[int] = []
    with pytest.raises(NotFoundError):
        find_entry(archive, decision(1000).id, progress=seen.append)
    assert sum(seen) == 512
    (log / "log/tile/entries/000").unlink()
    for target in (f"{IDENTITY.signer}/{log.name}:7",):
        place = find_entry(archive, target)
        with pytest.raises(NotFoundError, match="pruned"):
            prove(archive, place)
    # The hashes stay, so all else still proves.
    assert check_proof((p := _prove(tmp_path, decision(290).id)).proof, p.entry, trusted()).index == 291
    kept = find_entry(archive, decision(290).id)
    assert read_entry(archive, kept.log, kept.index) == p.entry


def test_what_is_changed_does_not_prove(tmp_path: Path) -> None:
    small_log(tmp_path, 5)
    proof = _prove(tmp_path, decision(3).id)
    with pytest.raises(ProofError):
        check_proof(proof.proof, proof.entry + b"\x08\x00", trusted())
    parsed = parse_tlog_proof(proof.proof)
    for other in (
        replace(parsed, index=parsed.index ^ 1),
        replace(parsed, hashes=parsed.hashes[1:]),
        replace(parsed, hashes=(*parsed.hashes, b"\x00" * 32)),
        replace(parsed, hashes=(b"\x00" * 32, *parsed.hashes[1:])),
    ):
        with pytest.raises(ProofError):
            check_proof(format_tlog_proof(other), proof.entry, trusted())
    text = parse_note(parsed.checkpoint).text
    stranger = generate_key()
    for note, error in (
        (sign_note(text, stranger.verifier(proof.log.origin), stranger.sign), UnknownSignerError),
        (sign_note(text, KEY.verifier(proof.log.origin), stranger.sign), SignatureError),
        (b"nonsense\n\nnonsense\n", MalformedError),
    ):
        with pytest.raises(error):
            check_proof(format_tlog_proof(replace(parsed, checkpoint=note)), proof.entry, trusted())
    with pytest.raises(UnknownSignerError, match="none of the given keys"):
        check_proof(proof.proof, proof.entry, trusted(keys=(KEY.verifier("other/org"),)))


def test_a_tree_of_other_hashes_is_not_proven(tmp_path: Path) -> None:
    log = small_log(tmp_path, 5)
    tile = next((log / "log/tile/0").rglob("*.p/*"))
    data = tile.read_bytes()
    tile.write_bytes(data[:32] + bytes(32) + data[64:])
    with pytest.raises(ProofError):
        _prove(tmp_path, decision(3).id)


def test_the_witnessed_checkpoint_is_taken_where_it_covers_the_entry(tmp_path: Path) -> None:
    log = small_log(tmp_path, 5)
    archive = open_archive(str(tmp_path))
    (published,) = find_published(archive)
    witness_key = generate_key()
    witness = VerifierKey(name="example.org/w", public=witness_key.public, type=KeyType.COSIGNATURE)
    root = TileTree(lambda name: archive.read(published.path("log", name)), published.size).root(6)
    text = format_checkpoint(Checkpoint(origin=published.origin, size=6, root=root))
    own = KEY.verifier(published.origin)
    signatures = (
        make_signature(text, own, KEY.sign),
        make_cosignature(text, witness, witness_key.sign, at_s=int(NOW_S)),
    )
    (log / "witnessed").write_bytes(format_note(Note(text=text, signatures=signatures)))
    policy = TrustPolicy(logs=(), witnesses=(Witness(name="w", key=witness),), groups=(), quorum="w")
    covered, later = _prove(tmp_path, decision(3).id), _prove(tmp_path, f"{published.origin}:6")
    checked = check_proof(covered.proof, covered.entry, trusted(policy=policy))
    assert (checked.size, dict(checked.cosigned)) == (6, {"w": int(NOW_S)})
    assert check_proof(later.proof, later.entry, trusted()).size == published.size
    with pytest.raises(UnknownSignerError, match="quorum w has not cosigned; found none"):
        check_proof(later.proof, later.entry, trusted(policy=policy))


def test_the_text_reads_back_and_nothing_else_does() -> None:
    note = b"a\n1\nb\n\nsigned\n"
    for proof in (
        TlogProof(index=0, hashes=(), checkpoint=note),
        TlogProof(index=7, hashes=(b"\x01" * 32, b"\x02" * 32), checkpoint=note, extra=b""),
        TlogProof(index=1 << 63, hashes=(b"\xff" * 32,) * 64, checkpoint=note, extra=b"x"),
    ):
        written = format_tlog_proof(proof)
        assert parse_tlog_proof(written) == proof
        assert format_tlog_proof(parse_tlog_proof(written)) == written
    hash_line = "A" * 43 + "="
    for wrong in (
        "",
        "c2sp.org/tlog-proof@v2\nindex 0\n\nn\n",
        f"{HEADER}\nindex 01\n\nn\n",
        f"{HEADER}\nindex -1\n\nn\n",
        f"{HEADER}\n\nn\n",
        f"{HEADER}\nindex 0\n{hash_line}",
        f"{HEADER}\nindex 0\n\n",
        f"{HEADER}\nindex 0\nAAAA\n\nn\n",
        f"{HEADER}\nindex 0\n{'A' * 42}B=\n\nn\n",
        f"{HEADER}\nindex 0\n*\n\nn\n",
        f"{HEADER}\nextra ?\nindex 0\n\nn\n",
        f"{HEADER}\nindex 0\nextra AA==\n\nn\n",
        f"{HEADER}\nindex 0\né\n\nn\n",
        f"{HEADER}\nindex 0\n" + f"{hash_line}\n" * 65 + "\nn\n",
    ):
        with pytest.raises(MalformedError, match="proof: "):
            parse_tlog_proof(wrong.encode())


@pytest.mark.slow
def test_a_proof_is_small_at_a_million_entries() -> None:
    """The tiles of a million equal entries, under a name as long as they come; measured, not estimated."""
    entry = b"\x09" + bytes(8) + b"\x42\x00"
    origin = f"{'/'.join(['a' * 12] * 5)}/000001-5f3a90c2"
    builder = TileBuilder()
    leaf = leaf_hash(entry)
    size = 1_000_003
    tiles = {
        format_tile_path(tile): data
        for tile, data in [*builder.append([b""] * size, [leaf] * size), *builder.partial()]
        if tile.level is not None
    }
    tree = TileTree(tiles.__getitem__, size)
    text = format_checkpoint(Checkpoint(origin=origin, size=size, root=tree.root()))
    witnesses = [
        VerifierKey(name=f"witness-{n}.example.org", public=KEY.public, type=KeyType.COSIGNATURE) for n in (1, 2)
    ]
    note = format_note(
        Note(
            text=text,
            signatures=(
                make_signature(text, KEY.verifier(origin), KEY.sign),
                *(make_cosignature(text, each, KEY.sign, at_s=int(NOW_S)) for each in witnesses),
            ),
        )
    )
    sizes = []
    for index in (0, 1, 524_287, 999_999, size - 1):
        proof = format_tlog_proof(TlogProof(index=index, hashes=tuple(tree.inclusion(index)), checkpoint=note))
        assert check_proof(proof, entry, trusted(keys=(KEY.verifier(origin),))).size == size
        sizes.append(len(proof))
    assert max(sizes) <= 1536, sizes
    assert max(sizes) > 1000  # twenty hashes and three signatures: not the proof of a small tree


@pytest.mark.slow
@pytest.mark.parametrize("target", [1, 2, 5, 6, 7])
def test_the_script_checks_without_us(tmp_path: Path, target: int) -> None:
    log = small_log(tmp_path / "logs", 5)
    folder = _write(tmp_path / "proof", _prove(tmp_path / "logs", f"{IDENTITY.signer}/{log.name}:{target}"))
    sh = shutil.which("dash") or shutil.which("sh")
    assert sh is not None

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sh, SCRIPT, *arguments], cwd=folder, capture_output=True, text=True, check=False)

    done = run()
    assert (done.returncode, done.stderr) == (0, "")
    assert f"entry {target} is in the log of 9 entries whose root was signed" in done.stdout
    assert sha256(b"\0" + (folder / ENTRY).read_bytes()).hexdigest() in done.stdout
    (folder / "mine.vkey").write_text(format_vkey(KEY.verifier(f"{IDENTITY.signer}/{log.name}")))
    assert run("mine.vkey").returncode == 0
    (folder / "other.vkey").write_text(format_vkey(generate_key().verifier("other")) + "\n")
    assert run("other.vkey").returncode == 1
    shown = json.loads((folder / SHOWN).read_text())
    assert (shown["index"], shown["proof"]["size"]) == (target, 9)
    for name in (ENTRY, PROOF):
        data = (folder / name).read_bytes()
        at = len(data) // 3
        (folder / name).write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        assert run().returncode != 0, name
        (folder / name).write_bytes(data)
    assert run().returncode == 0


def test_a_folder_of_proofs_is_checked(tmp_path: Path) -> None:
    small_log(tmp_path / "logs", 5)
    folder = _write(tmp_path / "proof", _prove(tmp_path / "logs", decision(3).id))
    archive = open_archive(str(tmp_path / "proof"))
    assert check_selection(archive, trusted()).holds
    untrusted = check_selection(archive, trusted(keys=()))
    assert [each.trust for each in untrusted.failed] == [True]
    (folder / "7.tlog-proof").write_bytes((folder / PROOF).read_bytes())
    (folder / "7.entry").write_bytes((folder / ENTRY).read_bytes())
    (folder / "8.tlog-proof").write_bytes((folder / PROOF).read_bytes())
    (folder / "9.entry").write_bytes(b"x")
    found = check_selection(archive, trusted())
    assert sorted((each.file, each.reason) for each in found.failed) == [
        ("7.tlog-proof", "7: named as entry 7, and proven to be entry 4"),
        ("8.tlog-proof", "8.entry is missing"),
        ("9.entry", "an entry without a proof"),
    ]
    assert list(found.checked) == [PROOF]


def test_an_empty_log_has_nothing_to_prove(tmp_path: Path) -> None:
    (tmp_path / "wal").mkdir()
    writer = LogWriter(tmp_path, origin="a/b", key=KEY)
    writer.append([encode_entry(b"x")])
    writer.abandon()
    with pytest.raises(NotFoundError, match="no published log"):
        _prove(tmp_path, "a/b:0")


def _run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main(["audit", *map(str, arguments)])
    out, err = capsys.readouterr()
    return code, out, err


def test_the_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = small_log(tmp_path / "logs", 5)
    serial = ("--engine", "serial")
    out = tmp_path / "proof"
    code, _, err = _run(capsys, "prove", decision(3).id, tmp_path / "logs", "--output", out, *serial)
    assert (code, "entry 4 of" in err) == (0, True)
    assert {path.name for path in out.iterdir()} == {ENTRY, PROOF, SHOWN, SCRIPT, "log.vkey"}
    code, shown, _ = _run(capsys, "prove", decision(3).id, tmp_path / "logs", "--output", "-", *serial)
    assert b64decode(json.loads(shown)["stored"]) == (out / ENTRY).read_bytes()
    assert json.loads(shown)["tlog_proof"].encode() == (out / PROOF).read_bytes()
    key = log.parent / "signer.vkey"
    for file in (out, out / PROOF):
        code, said, _ = _run(capsys, "check-proof", file, "--key", key)
        assert (code, "RESULT 1 proofs, all hold" in said) == (0, True)
    code, said, err = _run(capsys, "check-proof", out, "--json")
    assert (code, json.loads(said)["holds"], "not authorship" in err) == (0, True, True)
    (tmp_path / "other.vkey").write_text(format_vkey(generate_key().verifier("other")) + "\n")
    for file in (out, out / PROOF):
        assert _run(capsys, "check-proof", file, "--key", tmp_path / "other.vkey")[0] == 4
    (out / ENTRY).write_bytes(b"another")
    for file in (out, out / PROOF):
        assert _run(capsys, "check-proof", file, "--key", key)[0] == 2
    for arguments, words in (
        (("prove", decision(77).id, tmp_path / "logs", "--output", out), "no decision with this id"),
        (("prove", decision(3).id, tmp_path / "none", "--output", out), "no folder"),
        (("check-proof", tmp_path / "none"), "no folder"),
        (("check-proof", tmp_path / "logs", "--key", key), "no .tlog-proof here"),
    ):
        code, _, err = _run(capsys, *arguments, *(serial if arguments[0] == "prove" else ()))
        assert (code, words in err) == (1, True), err


@pytest.mark.slow
def test_a_proof_leads_to_the_organisations_key(tmp_path: Path) -> None:
    """A log whose key was delegated and changed on the way: the auditor knows the organisation's key and witnesses."""
    made = make_log(tmp_path, 600, Keys())
    archive = open_archive(str(tmp_path))
    (published,) = find_published(archive)
    trust = Trust(keys=(made.organisation,), policy=load_tlog_policy(made.policy))
    only = replace(trust, policy=replace(trust.policy, logs=())) if trust.policy is not None else trust
    covered = parse_checkpoint(parse_note((made.folder / "witnessed").read_bytes()).text).size
    indices = (0, covered // 2, covered - 1)
    for index, proof in zip(indices, prove_all(archive, published, indices), strict=True):
        for each in (trust, only):
            checked = check_proof(proof.proof, proof.entry, each, delegations=proof.delegations)
            assert (checked.index, len(checked.cosigned)) == (index, 2)
        with pytest.raises(UnknownSignerError):
            check_proof(proof.proof, proof.entry, only)
        with pytest.raises(UnknownSignerError):
            check_proof(proof.proof, proof.entry, replace(only, keys=()), delegations=b"")
        folder = _write(tmp_path / "handout" / str(index), proof)
        assert check_selection(open_archive(str(folder)), only).holds
        sh = shutil.which("sh")
        assert sh is not None
        done = subprocess.run([sh, SCRIPT], cwd=folder, capture_output=True, text=True, check=False)
        assert (done.returncode, f"entry {index} is in the log of {covered}" in done.stdout) == (0, True), done.stderr


@pytest.mark.parametrize("name", ["²", "007", "9" * 5000])
def test_odd_names_of_entries_in_a_zip_file_are_refused_in_words(tmp_path: Path, name: str) -> None:
    log = small_log(tmp_path / "logs", 2)
    archive = open_archive(str(tmp_path / "logs"))
    proof = prove(archive, find_entry(archive, f"{log.relative_to(tmp_path / 'logs')}:1"))
    with ZipFile(tmp_path / "s.zip", "w") as file:
        file.writestr(f"entries/x/{name}.entry", proof.entry)
        file.writestr(f"entries/x/{name}.tlog-proof", proof.proof)
    found = check_selection(open_archive(str(tmp_path / "s.zip")), Trust(keys=(KEY.verifier(IDENTITY.signer),)))
    # What is no number in ASCII claims none.
    assert found.holds is (name == "²")


@pytest.mark.parametrize("index", ["-1", "+1", "01", "²", "9" * 5000, "1 "])
def test_an_index_that_is_none_is_malformed(index: str) -> None:
    data = f"c2sp.org/tlog-proof@v1\nindex {index}\n\nx\n".encode()
    with pytest.raises(MalformedError):
        parse_tlog_proof(data)
