"""Evidence in an object store, verified from there by processes that find their own way to it."""

from pathlib import Path

import obstore
import pytest
from ledger.world import IDENTITY, KEY, small_log
from obstore.store import S3Store

from extproc.archive import open_archive
from extproc.audit.show import read_records
from extproc.audit.trust import Trust
from extproc.audit.verify import NoLogError, verify
from extproc.engine import ProcessEngine

_TRUST = Trust(keys=(KEY.verifier(IDENTITY.signer),))


@pytest.mark.slow
def test_logs_in_a_store_verify_without_being_fetched_first(aws: str, tmp_path: Path) -> None:
    store = S3Store("evidence", endpoint=aws, client_options={"allow_http": True})
    small_log(tmp_path)
    for path in sorted(tmp_path.rglob("*")):
        if path.is_file():
            obstore.put(store, f"logs/{path.relative_to(tmp_path).as_posix()}", path.read_bytes())
    # A log of one part runs here; two need processes.
    result = verify("s3://evidence/logs", _TRUST, engine=ProcessEngine(2))
    assert (result.exit_status, list(result.findings)) == (0, [])
    assert len(list(read_records(open_archive("s3://evidence/logs")))) == 8
    bundle = next(name for name in open_archive("s3://evidence/logs").names() if "entries/000.p/8" in name)
    data = open_archive("s3://evidence/logs").read(bundle)
    obstore.put(store, f"logs/{bundle}", data[:-1] + b"?")
    assert verify("s3://evidence/logs", _TRUST).exit_status == 2
    with pytest.raises(NoLogError, match="s3://evidence/nothing: no log here"):
        verify("s3://evidence/nothing", _TRUST)
