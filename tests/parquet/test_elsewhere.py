"""The same work on an engine of the auditor's platform, over logs in an object store: Dask, and moto's server."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import obstore
import pytest
from distributed import LocalCluster
from ledger.world import IDENTITY, KEY
from moto.server import ThreadedMotoServer
from obstore.store import S3Store
from parquet.records import many

from extproc.archive import Archive, open_archive
from extproc.audit.prove import find_entry, prove
from extproc.audit.replay_log import replay_logs
from extproc.audit.trust import Trust
from extproc.audit.verify import verify
from extproc.core.ids import DecisionId
from extproc.engine import Engine, open_engine
from extproc.parquet import build
from extproc.parquet.database import Database, sources_of

pytestmark = pytest.mark.slow

TRUST = Trust(keys=(KEY.verifier(IDENTITY.signer),))
DECISIONS = 700
LAST = DecisionId(f"00000000-0000-7000-0000-{DECISIONS:012x}")


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        _, port = server.get_host_and_port()
        for bucket in ("evidence", "tables"):
            httpx.put(f"http://127.0.0.1:{port}/{bucket}", trust_env=False).raise_for_status()
        yield f"http://127.0.0.1:{port}"
    finally:
        server.stop()


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, endpoint: str, tmp_path: Path) -> Archive:
    """A log in a bucket, and nowhere else."""
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT", "AWS_SESSION_TOKEN", "AWS_ALLOW_HTTP"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDOFTHETESTS")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-of-the-tests")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    log = many(tmp_path / "logs", DECISIONS)
    client = S3Store("evidence", endpoint=endpoint, client_options={"allow_http": True})
    for path in sorted((tmp_path / "logs").rglob("*")):
        if path.is_file() and "wal" not in path.parts and path.name != "lock":
            obstore.put(client, f"{tmp_path.name}/{path.relative_to(tmp_path / 'logs').as_posix()}", path.read_bytes())
    assert log.is_dir()
    return open_archive(f"s3://evidence/{tmp_path.name}")


@pytest.fixture(scope="module")
def dask() -> Iterator[Engine]:
    """Dask's local mode: a scheduler and two workers on loopback, reached as a cluster elsewhere would be."""
    with LocalCluster(  # type: ignore[no-untyped-call]
        n_workers=2,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        processes=False,
        protocol="tcp://",
    ) as cluster:
        yield open_engine(f"dask={cluster.scheduler_address}")


def test_verification_and_tables_run_on_dask_over_a_bucket(
    store: Archive, dask: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("extproc.parquet.building.PART_ENTRIES", 512)
    result = verify(store, TRUST, engine=dask)
    assert (result.result, result.deliveries) == ("verified", {"matched": DECISIONS})
    out = tmp_path / "tables"
    built = build(store, out, dask)
    assert (built.parts_built, built.rows["decisions"], built.rows["deliveries"]) == (3, DECISIONS, DECISIONS)
    assert build(store, out, dask).parts_kept == 3
    database = Database(sources_of(built))
    rows = list(database.select("SELECT count(*), count(DISTINCT policy) FROM decisions").rows)
    assert rows == [(DECISIONS, 1)]
    database.close()
    # The same tables as here, byte for byte.
    build(store, tmp_path / "here")
    one, other = (
        {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.parquet")}
        for folder in (out, tmp_path / "here")
    )
    assert one == other
    # And the search for a decision, and the replay.
    assert prove(store, find_entry(store, LAST, engine=dask)).index == 2 * DECISIONS
    assert sum(replay_logs(store, engine=dask).missing.values()) == DECISIONS


def test_tables_may_lie_in_a_bucket(store: Archive, endpoint: str) -> None:
    host = endpoint.removeprefix("http://")
    key, secret = (quote(os.environ[name]) for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"))
    out = f"s3://{key}:{secret}@tables/situs?scheme=http&endpoint_override={host}"
    built = build(store, out)
    assert (built.parts_built, build(store, out).parts_kept) == (1, 1)
    database = Database(sources_of(built))
    assert list(database.select("SELECT count(*) FROM decisions").rows) == [(DECISIONS,)]
    database.close()
    place = built.place
    (name,) = built.files["decisions"]
    assert (place.size(name) or 0) > 1000
    place.remove(name)
    place.remove(name)
    assert (place.size(name), place.read(name)) == (None, None)
    assert build(store, out).parts_built == 1
