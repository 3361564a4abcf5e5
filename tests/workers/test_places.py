"""What each worker has of its own, and the right to be the one set."""

import asyncio
import os
from pathlib import Path

import pytest

from extproc.mesh.section import TcpAddress, UnixSocket, worker_address
from extproc.workers.places import worker_key, worker_listen
from extproc.workers.tenure import TenureError, take_tenure


@pytest.mark.parametrize("worker", [0, 1, 7])
def test_a_worker_listens_where_envoy_looks_for_it(worker: int) -> None:
    unix = worker_address(UnixSocket(unix="/run/situs.sock"), worker)
    assert isinstance(unix, UnixSocket)
    assert worker_listen("unix:/run/situs.sock", worker) == f"unix:{unix.unix}"
    for host in ("127.0.0.1", "::1"):
        tcp = TcpAddress(address=host, port=9000)
        assert worker_listen(str(tcp), worker) == str(worker_address(tcp, worker))


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "127.0.0.1:65535", "127.0.0.1", "localhost:x"])
def test_an_address_without_room_is_refused(listen: str) -> None:
    assert worker_listen(listen, 0) == listen
    with pytest.raises(ValueError, match="leaves no port for worker 1"):
        worker_listen(listen, 1)


def test_each_worker_has_a_key_of_its_own() -> None:
    key = Path("/etc/situs/log.key")
    assert [worker_key(key, worker) for worker in range(3)] == [key, Path(f"{key}.1"), Path(f"{key}.2")]


async def test_a_tenure_lasts_until_the_last_who_inherited_it_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "node" / "lock"
    first = await take_tenure(path, patience_s=1)
    heir = os.dup(first)
    os.close(first)
    with pytest.raises(TenureError, match="Mend: stop them"):
        await take_tenure(path, patience_s=0)
    waiting = asyncio.ensure_future(take_tenure(path, patience_s=5))
    await asyncio.sleep(0)
    assert not waiting.done()
    os.close(heir)
    os.close(await waiting)
