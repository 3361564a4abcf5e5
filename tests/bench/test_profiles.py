"""The comparison of the profiles: what it must show on any machine. How fast anything was is no test's business."""

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bench.profiles import __main__ as command
from bench.profiles.evidence import Crossing, examine
from bench.profiles.figures import Figures, percentile, summarise
from bench.profiles.policies import policy_of, round_trips_s
from bench.profiles.report import run_of, write_results
from bench.profiles.story import SHORT, tell
from bench.profiles.table import BEGIN, END, MarkerError, table_in, updated
from bench.profiles.traffic import EEA, KINDS, PER_CYCLE, kind_at
from extproc.core.tables import Profile
from extproc.demo.client import Client
from extproc.demo.process import Child, python
from extproc.demo.world import free_port
from extproc.policy.load import load_policy

_RTT_S = 0.03


@pytest.mark.e2e
@pytest.mark.slow
async def test_each_profile_does_what_its_row_says_and_nothing_leaves_its_permitted_set(
    tmp_path: Path, digits_store: Path, envoy_binary: Path
) -> None:
    said: list[str] = []
    told = await tell(tmp_path, SHORT, models=digits_store, envoy=str(envoy_binary), say=said.append)
    cases, proofs = await asyncio.to_thread(examine, told)
    figures = summarise(cases, proofs)
    legal, hybrid, fast = (figures[profile] for profile in Profile)

    for each in (legal, hybrid, fast):
        assert each.proof.holds, each.proof
        assert set(each.proof.findings) <= {"matched", "undelivered"}
        assert each.by_kind["unknown address"].unserved.keys() == {"451 unknown_jurisdiction"}
        assert each.by_class["special"].regions.keys() <= EEA
        _took_at_least_the_way(each)
        assert sum(each.failovers.values()) > 0
    # Each request went to all three; of the first and of the last, one may not have been counted.
    requests = [each.whole.requests for each in figures.values()]
    assert max(requests) - min(requests) <= 2

    bank = {profile: each.by_kind["FR, bank (DPF)"] for profile, each in figures.items()}
    assert legal.transfers_recorded == legal.transferred == legal.crossings[Crossing.TRANSFER] == 0
    assert bank[Profile.LEGAL_FIRST].regions.keys() <= EEA
    assert any(reason.startswith("503") for reason in bank[Profile.LEGAL_FIRST].unserved)

    assert hybrid.transfers_recorded >= hybrid.transferred >= hybrid.crossings[Crossing.TRANSFER] > 0
    assert bank[Profile.HYBRID].regions["us-iad"] == hybrid.crossings[Crossing.TRANSFER]
    assert hybrid.crossings[Crossing.UNREGULATED] == legal.crossings[Crossing.UNREGULATED] == 0

    assert fast.crossings[Crossing.UNREGULATED] > 0
    for each in (legal, hybrid):
        assert each.by_kind["BR, open data"].unserved.keys() == {"451 ungoverned_jurisdiction"}
        assert each.by_kind["AE, open data"].regions.keys() == {"me-dxb"}
    assert fast.by_kind["BR, open data"].served > 0
    abroad = fast.by_kind["AE, open data"]
    assert abroad.regions.get("me-dxb", 0) < abroad.served / 2

    write_results(tmp_path / "results", run_of(cases, figures, SHORT, told.seconds))
    written = (tmp_path / "results" / "profiles.md").read_text()
    table = table_in(written)
    assert [line.split(" | ")[0] for line in table.splitlines()[2:5]] == [f"| `{profile}`" for profile in Profile]
    assert updated(written, table) == written


def _took_at_least_the_way(figures: Figures) -> None:
    for kind, region in (("DE, no token", "eu-fra"), ("AE, no token", "me-dxb")):
        latency = figures.by_kind[kind].latency
        if latency is None:  # a busy machine serves too few in a short run for percentiles
            continue
        way_ms = {str(name): seconds * 1000 for name, seconds in round_trips_s().items()}[region]
        assert way_ms <= latency.p50_ms <= latency.p99_ms


def test_the_policies_differ_in_the_profile_and_in_what_it_implies(tmp_path: Path) -> None:
    read = {profile: yaml.safe_load(policy_of(profile)) for profile in Profile}
    for profile, policy in read.items():
        (tmp_path / "policy.yaml").write_text(policy_of(profile))
        tables = load_policy(tmp_path / "policy.yaml").tables
        assert tables.profile is profile
        assert tables.unregulated == ({"public"} if profile is Profile.PERFORMANCE_FIRST else set())
        assert policy["policy"].pop("profile") == profile.value
        assert policy.pop("classes").keys() == {"public", "personal", "special"}
    assert read[Profile.LEGAL_FIRST] == read[Profile.HYBRID] == read[Profile.PERFORMANCE_FIRST]


@given(st.integers(min_value=0, max_value=10_000))
def test_any_cycle_of_requests_is_the_whole_mix(start: int) -> None:
    seen = Counter(kind_at(start + i).name for i in range(PER_CYCLE))
    assert seen == {kind.name: kind.weight for kind in KINDS}


@given(st.lists(st.floats(0, 1e6), min_size=1), st.integers(1, 100))
def test_a_percentile_has_as_many_values_at_or_below_it_as_it_says(values: list[float], percent: int) -> None:
    found = percentile(values, percent)
    assert sum(value <= found for value in values) * 100 >= percent * len(values)
    assert sum(value < found for value in values) * 100 < percent * len(values)


def test_a_percentile_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="nothing"):
        percentile([], 50)


@pytest.mark.slow
async def test_the_relay_delays_each_byte_by_a_round_trip_and_a_new_connection_by_another(tmp_path: Path) -> None:
    ended = asyncio.Event()

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(100):
            writer.write(data)
        await _close(writer)
        ended.set()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    with _relaying(tmp_path, server.sockets[0].getsockname()[1]) as port:
        reader, writer = await _connect(port)
        took_s = []
        for sent in (b"first", b"second"):
            began_s = time.perf_counter()
            writer.write(sent[:1])
            writer.write(sent[1:])
            assert await reader.readexactly(len(sent)) == sent
            took_s.append(time.perf_counter() - began_s)
        writer.write_eof()
        assert await reader.read() == b""
        await _close(writer)
        await ended.wait()
    assert took_s[0] >= 2 * _RTT_S
    assert took_s[1] >= _RTT_S
    server.close()
    await server.wait_closed()


@pytest.mark.slow
async def test_the_way_to_nowhere_ends(tmp_path: Path) -> None:
    with _relaying(tmp_path, free_port()) as port:
        reader, writer = await _connect(port)
        writer.write(b"anybody?")
        (ended,) = await asyncio.gather(reader.read(), return_exceptions=True)
        assert ended == b"" or isinstance(ended, ConnectionError)
        await _close(writer)


async def test_an_answer_that_breaks_off_is_none_and_its_decision_is_known_all_the_same() -> None:
    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(len(b"request"))
        writer.write(b"HTTP/1.1 200 OK\r\nX-Situs-Decision: d-1\r\ncontent-length: 9\r\n\r\nhalf")
        await _close(writer)

    server = await asyncio.start_server(half, "127.0.0.1", 0)
    client = Client(server.sockets[0].getsockname()[1])
    reply = await client.ask(b"request")
    assert (reply.status, reply.headers["x-situs-decision"], reply.body) == (0, "d-1", b"")
    await client.close()
    server.close()
    await server.wait_closed()


@contextmanager
def _relaying(folder: Path, to_port: int) -> Iterator[int]:
    port = free_port()
    command = python("extproc.demo.relay", str(port), str(to_port), str(_RTT_S))
    child = Child("relay", command, folder / "relay.txt")
    child.start()
    try:
        yield port
    finally:
        child.kill()


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


async def _connect(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    for _ in range(1000):
        try:
            return await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            await asyncio.sleep(0.01)
    raise AssertionError("the relay does not listen")


def test_the_readme_gets_the_table_of_the_last_results_and_nothing_else_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = "| profile |\n| --- |\n| `hybrid` |\n\nMeasured today.\n"
    (tmp_path / "profiles.md").write_text(updated(f"# Results\n\n{BEGIN}\n{END}\n\nmore\n", table))
    readme = tmp_path / "README.md"
    readme.write_text(f"# Situs\n\n{BEGIN}\nold\n{END}\n\nrest\n")
    monkeypatch.setattr(sys, "argv", ["profiles", "--output", str(tmp_path), "--readme", str(readme)])
    assert command.main() == 0
    assert readme.read_text() == f"# Situs\n\n{BEGIN}\n\n{table}\n{END}\n\nrest\n"
    assert command.main() == 0
    assert readme.read_text() == f"# Situs\n\n{BEGIN}\n\n{table}\n{END}\n\nrest\n"


def test_without_markers_or_results_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("# Situs\n")
    monkeypatch.setattr(sys, "argv", ["profiles", "--output", str(tmp_path), "--readme", str(readme)])
    assert command.main() == 1
    assert "run `python -m bench.profiles` first" in capsys.readouterr().err
    (tmp_path / "profiles.md").write_text(updated(f"{BEGIN}\n{END}\n", "| x |\n"))
    assert command.main() == 1
    assert f"write {BEGIN} and {END}" in capsys.readouterr().err
    assert readme.read_text() == "# Situs\n"
    with pytest.raises(MarkerError, match="Mend"):
        updated("nothing", "| x |\n")
