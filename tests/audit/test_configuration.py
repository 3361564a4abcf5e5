"""What the sidecar records of its configuration, as the auditor finds it."""

from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from ledger.world import IDENTITY, KEY, clock, snapshot

from extproc.audit.trust import Trust
from extproc.audit.verify import verify
from extproc.core.ids import PolicyRevision
from extproc.core.snapshot import Snapshot
from extproc.geo import GeoIdentity
from extproc.ledger.commit import Ledger
from extproc.ledger.entries import parse_entry
from extproc.ledger.tiles import decode_entries
from extproc.sidecar.recorder import Recorder

_TRUST = Trust(keys=(KEY.verifier(IDENTITY.signer),))
_POLICY, _SHADOW = b'{"policy": 1}', b'{"policy": 2}'


def _revision(canonical: bytes) -> PolicyRevision:
    return PolicyRevision(f"sha256:{sha256(canonical).hexdigest()}")


def _snapshot() -> Snapshot:
    made = snapshot(shadow=True)
    assert made.shadow is not None
    return replace(
        made,
        policy=replace(made.policy, revision=_revision(_POLICY)),
        shadow=replace(made.shadow, policy=replace(made.shadow.policy, revision=_revision(_SHADOW))),
    )


def _database(name: str) -> GeoIdentity:
    return GeoIdentity(sha256=sha256(name.encode()).hexdigest(), build_epoch=5, database_type=name, node_count=1)


async def test_both_policies_and_both_databases_are_recorded(tmp_path: Path) -> None:
    ledger = await Ledger.open(tmp_path, identity=IDENTITY, key=KEY, program="1", clock=clock, segment_bytes=1 << 16)
    recorder = Recorder(ledger, program="1", clock=clock)
    made = _snapshot()
    await recorder.record_configuration(
        made, _database("Country"), _POLICY, anonymity=_database("Anonymous"), shadow=_SHADOW
    )
    await recorder.record_configuration(replace(made, shadow=None), None, _POLICY)
    await ledger.close()
    assert verify(tmp_path, _TRUST).exit_status == 0
    entries = decode_entries((ledger.directory / "log/tile/entries/000.p/4").read_bytes(), 4)
    both, alone = (parse_entry(data).config for data in entries[1:3])
    assert (both.policy.stored, both.shadow.stored) == (True, True)
    assert (both.geo.type, both.geo.sha256) == ("Country", sha256(b"Country").digest())
    assert (both.anonymity.type, both.anonymity.sha256) == ("Anonymous", sha256(b"Anonymous").digest())
    assert [alone.HasField(field) for field in ("policy", "shadow", "geo", "anonymity")] == [True, False, False, False]
    kept = {path.read_bytes() for path in (ledger.directory / "policies").iterdir()}
    assert kept == {_POLICY, _SHADOW}
    (ledger.directory / "policies" / f"{sha256(_SHADOW).hexdigest()}.json").unlink()
    assert verify(tmp_path, _TRUST).exit_status == 3
