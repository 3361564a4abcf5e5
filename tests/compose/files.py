"""The files of `compose/`, read plainly."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

import yaml

ROOT: Final = Path(__file__).parents[2]
COMPOSE: Final = ROOT / "compose"
REGIONS: Final = ("eu-fra", "eu-ams", "us-iad", "me-dxb")
LOCKS: Final = {"situs:0.1.0": "situs", "situs-cell:0.1.0": "cell", "situs-prepare:0.1.0": "prepare"}
"""The packages of each image, by the name of the lock."""

Service: TypeAlias = Mapping[str, Any]


def read_project() -> dict[str, Any]:
    """Read compose.yaml: anchors are resolved, and we write no short forms but lists of words."""
    found: dict[str, Any] = yaml.safe_load((COMPOSE / "compose.yaml").read_text())
    return found


def read_services() -> dict[str, Service]:
    """Read the services of compose.yaml."""
    services: dict[str, Service] = read_project()["services"]
    return services


def words_of(service: Service) -> list[str]:
    """Give the command line of a service."""
    return [*service.get("entrypoint", []), *service.get("command", [])]


def packages_of(lock: Path) -> dict[str, str]:
    """Read a lock: each pinned package with its markers, and its hashes."""
    text = re.sub(r"#.*", "", lock.read_text().replace("\\\n", " "))
    pinned = [" ".join(line.split()) for line in text.splitlines() if "==" in line]
    return {line.partition(" --hash")[0].strip(): line for line in pinned}


def read_request() -> dict[str, Any]:
    """Read the request that README's commands send."""
    request: dict[str, Any] = json.loads((COMPOSE / "request.json").read_text())
    return request
