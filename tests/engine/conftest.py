from collections.abc import Iterator

import pytest

from extproc.engine import Engine, open_engine


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """A Dask cluster of two workers on loopback."""
    from distributed import LocalCluster  # noqa: PLC0415 - slow to import

    with LocalCluster(  # type: ignore[no-untyped-call]
        n_workers=2,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        processes=False,
        protocol="tcp://",
    ) as cluster:
        yield cluster.scheduler_address


@pytest.fixture(
    params=[
        "serial",
        pytest.param("processes=2", marks=pytest.mark.slow),
        pytest.param("auto", marks=pytest.mark.slow),
        pytest.param("dask", marks=pytest.mark.slow),
        pytest.param("dask=", marks=pytest.mark.slow),
    ]
)
def engine(request: pytest.FixtureRequest) -> Engine:
    name: str = request.param
    if name.endswith("="):
        name += request.getfixturevalue("scheduler")
    return open_engine(name)
