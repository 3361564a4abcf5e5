"""The mesh file: what is read, and what is refused with which mend."""

from dataclasses import replace
from importlib.resources import files

import pytest
from mesh.example import READING, tables_of

from extproc.core.ids import DependencyId, RegionId, TenantId
from extproc.core.reading import TenantBindings
from extproc.core.tables import PolicyTables
from extproc.mesh.endpoints import parse_endpoint
from extproc.mesh.parse import mesh_reader
from extproc.mesh.section import Endpoints, Jwt, Mesh, TcpAddress, UnixSocket
from extproc.strict_yaml import DocumentError, UnfitError, read_text

SMALLEST = """\
apiVersion: situs/v1
listener: {address: 0.0.0.0, port: 10000}
sidecar: {unix: /run/situs.sock}
regions:
  r0: {endpoints: ["127.0.0.1:9001", "[::1]:9002", "cells.internal:9003"]}
  r1: {endpoints: ["127.0.0.1:9004"]}
"""
JWT = 'jwt: {issuer: "https://id.example", audiences: [inference], jwks_file: /etc/jwks.json}\n'


def needing(**needs: float) -> PolicyTables:
    """Give the policy whose second region needs these."""
    tables = tables_of(2)
    needed = {DependencyId(name): age_s for name, age_s in needs.items()}
    return replace(tables, regions=(tables.regions[0], replace(tables.regions[1], needs=needed)))


def read(text: str, *, reads_claims: bool = False, tables: PolicyTables | None = None) -> Mesh:
    reading = (
        replace(READING, bindings=TenantBindings(by_claim={"tenant": {"acme": TenantId("acme")}}))
        if reads_claims
        else READING
    )
    return read_text(text, mesh_reader(tables or tables_of(2), reading), file="mesh.yaml")


def refusal(text: str, *, reads_claims: bool = False, tables: PolicyTables | None = None) -> str:
    with pytest.raises(DocumentError) as caught:
        read(text, reads_claims=reads_claims, tables=tables)
    return str(caught.value)


def test_the_smallest_file_has_the_documented_defaults() -> None:
    assert read(SMALLEST) == Mesh(
        listener=TcpAddress(address="0.0.0.0", port=10000),  # noqa: S104 - nothing listens in this test
        sidecar=UnixSocket(unix="/run/situs.sock"),
        regions={
            RegionId("r0"): Endpoints(
                endpoints=(
                    TcpAddress(address="127.0.0.1", port=9001),
                    TcpAddress(address="::1", port=9002),
                    TcpAddress(address="cells.internal", port=9003),
                )
            ),
            RegionId("r1"): Endpoints(endpoints=(TcpAddress(address="127.0.0.1", port=9004),)),
        },
    )


def test_every_section_is_read() -> None:
    mesh = read(
        SMALLEST.replace("unix: /run/situs.sock", "address: sidecar, port: 9000")
        + JWT
        + "admin: {address: '::1', port: 9901}\n"
        + "timeouts: {message_s: 0.25, connect_s: 2, attempt_s: 5, request_s: 9, headers_s: 3, idle_s: 9.5, "
        + "cell_idle_s: 1}\n"
        + "retries: {at_least: 0, statuses: [503], budget_percent: 20, budget_floor: 3}\n"
        + "limits: {in_flight: 10, connections: 20, header_kib: 60, buffer_kib: 64}\n"
        + "health: {path: /healthy, interval_s: 5, timeout_s: 2, down_interval_s: 3, unhealthy: 3, healthy: 1, "
        + "failures: 9, ejection_s: 1, longest_ejection_s: 9}\n",
        reads_claims=True,
    )
    assert mesh.sidecar == TcpAddress(address="sidecar", port=9000)
    assert mesh.jwt == Jwt(issuer="https://id.example", audiences=("inference",), jwks_file="/etc/jwks.json")
    assert str(mesh.admin) == "[::1]:9901"
    assert mesh.timeouts.message_s == 0.25
    assert mesh.retries.statuses == (503,)
    assert mesh.limits.header_kib == 60
    assert (mesh.health.path, mesh.health.down_interval_s) == ("/healthy", 3)


def test_the_example_is_read() -> None:
    text = (files("extproc.mesh") / "examples" / "demo.yaml").read_text(encoding="utf-8")
    for written, known in (("eu-fra", "r0"), ("eu-ams", "r1"), ("us-iad:", "#"), ("me-dxb:", "#")):
        text = text.replace(written, known)
    assert read(text, reads_claims=True).jwt is not None


@pytest.mark.parametrize(
    ("written", "instead", "place", "said"),
    [
        ("situs/v1", "situs/v2", 1, "write 'apiVersion: situs/v1'"),
        ("  r1:", "  r10:", 6, "the policy has no region 'r10'. Mend: did you mean 'r1'? its regions are r0, r1"),
        ("  r1:", "  # ", 5, "the policy's region 'r1' has no endpoints"),
        ('["127.0.0.1:9004"]', "[]", 6, "needs 1"),
        ("127.0.0.1:9004", "127.0.0.1", 6, "is no address and port"),
        ("127.0.0.1:9004", "::1:9004", 6, "is no address and port"),
        ("127.0.0.1:9004", "127.0.0.1:0", 6, "'0' is no port"),
        ("127.0.0.1:9004", "127.0.0.1:65536", 6, "'65536' is no port"),
        ("127.0.0.1:9004", "127.0.0.300:9004", 6, "neither an IP address nor a host name"),
        ("127.0.0.1:9004", "http://cell:9004", 6, "is no address and port"),
        ("unix: /run/situs.sock", "unix: run/situs.sock", 3, "is not absolute"),
        ("unix: /run/situs.sock", f"unix: /{'s' * 107}", 3, "longer than 107 bytes"),
        ("unix: /run/situs.sock", f"unix: /{'s' * 105}, workers: 2", 3, "longer than 107 bytes"),
        ("unix: /run/situs.sock", f"unix: /{'s' * 104}, workers: 11", 3, "longer than 107 bytes"),
        ("unix: /run/situs.sock", "unix: /run/situs.sock, workers: 0", 3, "less than 1"),
        ("unix: /run/situs.sock", "unix: /run/situs.sock, workers: 65", 3, "more than 64"),
        ("unix: /run/situs.sock", "address: sidecar, port: 65535, workers: 2", 3, "would listen on port 65536"),
        ("unix: /run/situs.sock", "unix: /run/situs.sock, port: 1", 3, "one place"),
        ("unix: /run/situs.sock", "address: sidecar", 3, "one place"),
        ("port: 10000", "port: 0", 2, "less than 1"),
        ("listener", "listner", 1, "'listener' is missing"),
        ("listener", "timeouts: {message_s: 0}\nlistener", 2, "less than 0.001"),
        ("listener", "timeouts: {attempt_s: 61}\nlistener", 2, "make attempt_s less than request_s"),
        ("listener", "timeouts: {request_s: 80}\nlistener", 2, "make idle_s at least request_s"),
        ("listener", "health: {ejection_s: 31}\nlistener", 2, "make longest_ejection_s the larger"),
        ("listener", "retries: {statuses: [404]}\nlistener", 2, "less than 500"),
        ("listener", "timeout: {}\nlistener", 2, "did you mean 'timeouts'"),
        ("listener", "jwt: {issuer: i, audiences: [], jwks_file: /k}\nlistener", 2, "needs 1"),
        ("listener", "jwt: {issuer: i, audiences: [a], jwks_file: k}\nlistener", 2, "is not absolute"),
    ],
)
def test_a_fault_is_reported_with_its_line_and_its_mend(written: str, instead: str, place: int, said: str) -> None:
    lines = refusal(SMALLEST.replace(written, instead)).splitlines()
    assert [line for line in lines if line.startswith(f"mesh.yaml:{place}:") and said in line], lines


def test_all_faults_are_reported_at_once() -> None:
    lines = refusal(SMALLEST.replace("10000", "0").replace("r1", "r9").replace("/run", "run")).splitlines()
    assert len(lines) == 4


def test_a_policy_that_reads_claims_needs_somebody_to_verify_them() -> None:
    assert "nothing verifies them" in refusal(SMALLEST, reads_claims=True)
    assert read(SMALLEST + JWT, reads_claims=True).jwt is not None


@pytest.mark.parametrize("regions", ["regions: []", "regions: {}", "regions: {r0: []}"])
def test_regions_of_another_shape_are_refused(regions: str) -> None:
    head, _, _ = SMALLEST.partition("regions:")
    assert "mesh.yaml:4:" in refusal(head + regions)


def test_an_endpoint_without_a_host_is_refused() -> None:
    with pytest.raises(UnfitError):
        parse_endpoint(":9001")


def test_an_endpoint_is_in_one_region() -> None:
    said = refusal(SMALLEST.replace("127.0.0.1:9004", "127.0.0.1:9001"))
    assert "127.0.0.1:9001 is an endpoint of 'r0' and of 'r1'" in said
    assert "Mend:" in said


def test_a_sidecar_of_one_worker_is_where_it_says() -> None:
    assert read(SMALLEST).sidecars() == (UnixSocket(unix="/run/situs.sock"),)


def test_each_further_worker_has_a_place_of_its_own() -> None:
    mesh = read(SMALLEST.replace("situs.sock", "situs.sock, workers: 3"))
    assert (mesh.workers, mesh.sidecar) == (3, UnixSocket(unix="/run/situs.sock"))
    assert [str(place) for place in mesh.sidecars()] == [
        "unix:/run/situs.sock",
        "unix:/run/situs.sock.1",
        "unix:/run/situs.sock.2",
    ]
    mesh = read(SMALLEST.replace("unix: /run/situs.sock", 'address: "::1", port: 65534, workers: 2'))
    assert [str(place) for place in mesh.sidecars()] == ["[::1]:65534", "[::1]:65535"]


def test_the_longest_paths_of_workers_are_taken() -> None:
    for path, workers in (("s" * 106, 1), ("s" * 104, 2), ("s" * 103, 11)):
        mesh = read(SMALLEST.replace("/run/situs.sock", f"/{path}, workers: {workers}"))
        assert len(mesh.sidecars()) == workers


VECTORS = 'dependencies: {vectors: "http://10.0.0.7:8080/freshness"}'


def with_dependencies(written: str) -> str:
    return SMALLEST.replace('["127.0.0.1:9004"]', f'["127.0.0.1:9004"], {written}')


def test_what_a_region_needs_is_asked_where_the_file_says() -> None:
    mesh = read(with_dependencies(VECTORS), tables=needing(vectors=300.0))
    assert mesh.regions[RegionId("r0")].dependencies == {}
    assert mesh.regions[RegionId("r1")].dependencies == {DependencyId("vectors"): "http://10.0.0.7:8080/freshness"}


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("", "the policy's region 'r1' needs 'vectors', and nothing says where that is asked. Mend: add"),
        ("", "the policy's region 'r1' needs 'keys', and nothing"),
        ("dependencies: {}", "needs 'vectors'"),
        (VECTORS, "needs 'keys'"),
        (VECTORS.replace("vectors", "vector"), "does not need 'vector'. Mend: did you mean 'vectors'?"),
        (VECTORS.replace("http://", "ftp://"), "is no URL that can be asked"),
        (VECTORS.replace("http://", ""), "is no URL that can be asked"),
        (VECTORS.replace("10.0.0.7", "10.0.0.700"), "is no URL that can be asked"),
        (VECTORS.replace("10.0.0.7", "[::g]"), "is no URL that can be asked"),
        (VECTORS.replace("/freshness", "/fresh ness"), "is no URL that can be asked"),
        (VECTORS.replace("/freshness", "/freshness#now"), "is no URL that can be asked"),
        (VECTORS.replace("/freshness", "/" + "f" * 2000), "is no URL that can be asked"),
        (VECTORS.replace("8080", "65536"), "'65536' is no port"),
        (VECTORS.replace("10.0.0.7", "me:secret@10.0.0.7"), "the URL has credentials in it"),
    ],
)
def test_a_dependency_that_cannot_be_asked_is_reported(written: str, said: str) -> None:
    faults = refusal(with_dependencies(written), tables=needing(vectors=300.0, keys=5.0))
    assert [line for line in faults.splitlines() if line.startswith("mesh.yaml:6:") and said in line], faults
    assert "me:secret" not in faults


@pytest.mark.parametrize(
    "url",
    ["http://cache", "https://cache.internal/", "http://[2001:db8::1]:80/a/b?c=d&e=%20", "http://127.0.0.1:65535"],
)
def test_urls_that_can_be_asked(url: str) -> None:
    mesh = read(with_dependencies(f'dependencies: {{vectors: "{url}"}}'), tables=needing(vectors=1.0))
    assert mesh.regions[RegionId("r1")].dependencies == {DependencyId("vectors"): url}
