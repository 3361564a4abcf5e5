"""Cells are asked by mutual TLS, and must prove to be of their region."""

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog.testing
from signals.servers import http, serving
from support.certificates import Authority, Leaf

from extproc.core.ids import RegionId
from extproc.core.routing.health import Outcome
from extproc.signals.asking import Answer, Silence, asking
from extproc.signals.board import CellsSeen
from extproc.signals.cells import probe_forever
from extproc.tls.context import Contexts, PeerContext
from extproc.tls.credentials import CredentialFiles, load_credentials
from extproc.tls.holder import CredentialHolder

FRA, IAD = RegionId("eu-fra"), RegionId("us-iad")
CELL, ELSEWHERE, SITUS = (f"spiffe://acme.example/{name}" for name in ("cells/eu-fra", "cells/us-iad", "situs"))
CA, FOREIGN = Authority(), Authority(name="somebody else's")
SITUS_LEAF, CELL_LEAF = CA.leaf(SITUS), CA.leaf(CELL)


def server_context(folder: Path, leaf: Leaf, *authorities: Authority) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    files = leaf.write(folder, *(authorities or (CA,)))
    context.load_cert_chain(files.certificate, files.key)
    context.load_verify_locations(files.authorities)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


@pytest.fixture
def holder(tmp_path: Path) -> CredentialHolder:
    own = SITUS_LEAF.write(tmp_path / "own", CA)
    files = CredentialFiles(certificate=own.certificate, key=own.key, authorities=own.authorities)
    return CredentialHolder(files, load_credentials(files))


@pytest.fixture
def context(holder: CredentialHolder) -> PeerContext:
    return PeerContext(Contexts(lambda: holder.current), CELL)


@contextlib.asynccontextmanager
async def reasons() -> AsyncIterator[list[str]]:
    """Collect why servers were not trusted."""
    said: list[str] = []
    with structlog.testing.capture_logs() as events:
        yield said
    said += [event["why"] for event in events if "why" in event]
    assert [event for event in events if "why" not in event] == []


async def test_a_cell_of_the_region_is_asked_on_a_connection_that_is_kept(tmp_path: Path, context: PeerContext) -> None:
    async with serving(http(), server_context(tmp_path, CELL_LEAF)) as server, asking(1, context) as asker:
        for _ in range(3):
            answer = await asker.ask(f"https://{server.place}/")
            assert isinstance(answer, Answer)
            assert answer.status == 200
        assert server.connections == 1


@pytest.mark.slow
async def test_what_a_cell_proved_is_believed_for_a_while_only(tmp_path: Path, context: PeerContext) -> None:
    theirs = server_context(tmp_path, CELL_LEAF)
    async with serving(http(), theirs) as server, asking(1, context, renew_s=0.2) as asker:
        url = f"https://{server.place}/"
        assert isinstance(await asker.ask(url), Answer)
        files = CA.leaf(ELSEWHERE).write(tmp_path / "moved", CA)
        theirs.load_cert_chain(files.certificate, files.key)
        assert isinstance(await asker.ask(url), Answer)
        await asyncio.sleep(0.2)
        assert await asker.ask(url) is Silence.UNREACHED


@pytest.mark.slow
async def test_connections_are_renewed_without_a_lost_answer(tmp_path: Path, context: PeerContext) -> None:
    async with (
        serving(http(), server_context(tmp_path, CELL_LEAF)) as server,
        asking(4, context, renew_s=0.3) as asker,
    ):
        for _ in range(40):
            answers = await asyncio.gather(*(asker.ask(f"https://{server.place}/") for _ in range(4)))
            assert all(isinstance(answer, Answer) for answer in answers)
            await asyncio.sleep(0.02)
        assert 4 < server.connections < 40


async def test_intermediates_come_behind_the_certificate(tmp_path: Path, context: PeerContext) -> None:
    issuing = Authority(name="issuing", above=CA)
    for leaf, is_asked in ((issuing.leaf(CELL), True), (issuing.leaf(ELSEWHERE), False)):
        async with serving(http(), server_context(tmp_path, leaf)) as server, asking(1, context) as asker:
            assert isinstance(await asker.ask(f"https://{server.place}/"), Answer) is is_asked


def _in_an_hour() -> datetime:
    return datetime.now(UTC) + timedelta(hours=1)


@pytest.mark.parametrize(
    ("leaf", "why"),
    [
        (CA.leaf(ELSEWHERE), f"it proves to be {ELSEWHERE}; expected {CELL}"),
        (CA.leaf(f"{CELL}\0.evil"), "is no SPIFFE id"),
        (CA.leaf(CELL, ELSEWHERE), "has 2 URIs"),
        (CA.leaf(), "has no URI"),
        (CA.leaf(hosts=["127.0.0.1", CELL]), "has no URI"),
        (CA.leaf(CELL, days=-1), "certificate has expired"),
        (CA.leaf(CELL, not_before=_in_an_hour()), "certificate is not yet valid"),
        (FOREIGN.leaf(CELL), "unable to get local issuer certificate"),
    ],
)
async def test_a_cell_that_proves_something_else_is_not_asked(
    tmp_path: Path, context: PeerContext, leaf: Leaf, why: str
) -> None:
    async with (
        reasons() as said,
        serving(http(), server_context(tmp_path, leaf)) as server,
        asking(1, context) as asker,
    ):
        for _ in range(3):
            assert await asker.ask(f"https://{server.place}/") is Silence.UNREACHED
        assert server.requests == []
    assert len(said) == 1
    assert why in said[0]


@contextlib.contextmanager
def saying_why(context: ssl.SSLContext) -> Iterator[str]:
    """Run a server that tells a client by an alert why there is no connection; asyncio's does not.

    It then reads what the client has sent already. One that does not may end the connection so hard that the alert is
    lost, and nobody can say why.
    """

    def accept(listening: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                plain, _ = listening.accept()
                with context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False) as connection:
                    with contextlib.suppress(ssl.SSLError):
                        connection.do_handshake()
                    with socket.socket(fileno=connection.detach()) as bare, contextlib.suppress(OSError):
                        bare.shutdown(socket.SHUT_WR)
                        while bare.recv(4096):
                            pass

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=accept, args=(listening,))
        thread.start()
        try:
            yield f"127.0.0.1:{listening.getsockname()[1]}"
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join(10)


async def test_a_cell_that_does_not_believe_us_is_not_reached(tmp_path: Path, context: PeerContext) -> None:
    theirs = server_context(tmp_path, CELL_LEAF, FOREIGN)
    async with reasons() as said, asking(1, context) as asker:
        with saying_why(theirs) as place:
            for _ in range(3):
                assert await asker.ask(f"https://{place}/") is Silence.UNREACHED
        async with serving(http(), theirs) as server:
            assert await asker.ask(f"https://{server.place}/") is Silence.UNREACHED
            assert server.requests == []
    assert len(said) == 1
    assert "unknown ca" in said[0].lower()


async def test_a_cell_of_tls_1_2_is_not_asked(tmp_path: Path, context: PeerContext) -> None:
    old = server_context(tmp_path, CELL_LEAF)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    async with reasons() as said, asking(1, context) as asker:
        with saying_why(old) as place:
            assert await asker.ask(f"https://{place}/") is Silence.UNREACHED
    assert "version" in said[0].lower()


@pytest.mark.slow
async def test_a_cell_that_speaks_plainly_is_not_asked(context: PeerContext) -> None:
    async with reasons() as said, serving(http()) as server, asking(1, context) as asker:
        assert await asker.ask(f"https://{server.place}/") in (Silence.UNREACHED, Silence.FAILED)
        assert server.asked == []
    assert len(said) <= 1


async def test_a_reason_is_told_again_when_it_was_mended_and_comes_back(tmp_path: Path, context: PeerContext) -> None:
    answers = http(connection="close")
    theirs = server_context(tmp_path, CELL_LEAF)
    async with reasons() as said, serving(answers, theirs) as server, asking(1, context) as asker:
        for leaf in (CA.leaf(ELSEWHERE), CELL_LEAF, CA.leaf(ELSEWHERE)):
            files = leaf.write(tmp_path, CA)
            theirs.load_cert_chain(files.certificate, files.key)
            await asker.ask(f"https://{server.place}/")
            await asker.ask(f"https://{server.place}/")
    assert len(said) == 2


async def test_replaced_files_make_new_connections_and_leave_the_old(
    tmp_path: Path, holder: CredentialHolder, context: PeerContext
) -> None:
    async with (
        serving(http(), server_context(tmp_path / "a", CELL_LEAF)) as first,
        serving(http(), server_context(tmp_path / "b", FOREIGN.leaf(CELL), FOREIGN)) as second,
        asking(2, context) as asker,
    ):
        assert isinstance(await asker.ask(f"https://{first.place}/"), Answer)
        assert await asker.ask(f"https://{second.place}/") is Silence.UNREACHED
        FOREIGN.leaf(SITUS).write(tmp_path / "own", FOREIGN)
        assert await holder.reload()
        assert isinstance(await asker.ask(f"https://{second.place}/"), Answer)
        assert isinstance(await asker.ask(f"https://{first.place}/"), Answer)
        assert first.connections == 1
        for writer in first.writers:
            writer.close()
        await asyncio.sleep(0)
        assert await asker.ask(f"https://{first.place}/") is Silence.UNREACHED


async def test_each_region_has_an_identity_of_its_own(tmp_path: Path, holder: CredentialHolder) -> None:
    """Both cells are good, and each stands where the other should be in the second round."""
    contexts = Contexts(lambda: holder.current)
    expected = {FRA: PeerContext(contexts, CELL), IAD: PeerContext(contexts, ELSEWHERE)}
    async with (
        serving(http(), server_context(tmp_path / "a", CELL_LEAF)) as fra,
        serving(http(), server_context(tmp_path / "b", CA.leaf(ELSEWHERE))) as iad,
    ):
        for places, outcome in (
            ({FRA: [fra.place], IAD: [iad.place]}, Outcome.OK),
            ({FRA: [iad.place], IAD: [fra.place]}, Outcome.UNREACHED),
        ):
            assert await _first_round(places, expected) == {FRA: outcome, IAD: outcome}
        assert len(fra.requests) == len(iad.requests) == 1


async def _first_round(
    places: dict[RegionId, list[str]], contexts: dict[RegionId, PeerContext]
) -> dict[RegionId, Outcome]:
    seen: dict[RegionId, Outcome] = {}
    done = asyncio.Event()

    def probed(region: RegionId, cells: CellsSeen) -> None:
        seen.setdefault(region, cells.outcome)
        if len(seen) == len(places):
            done.set()

    task = asyncio.create_task(probe_forever(places, tuple, probed, contexts=contexts))
    try:
        async with asyncio.timeout(10):
            await done.wait()
    finally:
        task.cancel()
        await asyncio.wait([task])
    return seen
