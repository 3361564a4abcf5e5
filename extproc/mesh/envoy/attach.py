"""The attachment to an Envoy that is there already: its own configuration, with our pieces put where they belong.

What the operator wrote stays, comments and order too, so that the change can be read in a pull request. What would make
the result leak, or would leave open whose a request is, is refused with the mend; whether the rest of the configuration
keeps to the policy is for `situs mesh check` to say.
"""

import io
from collections.abc import Container, Iterator, Mapping, MutableMapping, MutableSequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias, cast

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from extproc.mesh.envoy.fragment import Fragment
from extproc.mesh.envoy.reasons import REASONS
from extproc.mesh.yaml_text import Json, write_yaml

Fields: TypeAlias = MutableMapping[str, Any]

_MANAGER: Final = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_ROUTER: Final = "envoy.extensions.filters.http.router.v3.Router"
_MOST_BYTES: Final = 16 << 20
_WIDE: Final = 4096


class AttachError(Exception):
    """The configuration cannot be attached to; the text names the place and the mend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Manager:
    listener: Fields
    path: str
    fields: Fields


def attach(existing: Path, fragment: Fragment, *, listener: str | None = None) -> str:
    """Give the configuration in the file `existing` with the fragment's pieces in it.

    `listener` names the one whose requests are decided, where there are several. Raises AttachError, and OSError where
    the file cannot be read.
    """
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = _WIDE
    config = _read(yaml, existing)
    pieces = _Pieces(fragment)
    resources = _mapping(config.get("static_resources"), "static_resources")
    for manager in _managers(resources, listener):
        _attach_manager(manager, pieces)
    _add_clusters(resources, pieces)
    if "node" not in config:
        config.update(pieces.mapping("node"))
    written = io.StringIO()
    yaml.dump(config, written)
    return "\n".join(_beside_their_fields(written.getvalue().split("\n"), pieces.reasons))


class _Pieces:
    """The fragment as values that bear their reasons as comments; each taken anew, because a value has one place."""

    def __init__(self, fragment: Fragment) -> None:
        self._fragment = fragment
        self.reasons: set[str] = set()

    def mapping(self, name: str) -> Fields:
        return self._loaded({name: getattr(self._fragment, name)})

    def of(self, name: str) -> Any:  # noqa: ANN401 - whatever the piece is
        return self.mapping(name)[name]

    def _loaded(self, fields: Mapping[str, Json]) -> Fields:
        text = write_yaml(fields, reasons=REASONS)
        self.reasons.update(line.strip() for line in text.split("\n") if line.lstrip().startswith("#"))
        return cast("Fields", YAML().load(text))


def _beside_their_fields(lines: list[str], reasons: Container[str]) -> list[str]:
    """Indent each of our reasons like the field that it is about: they were written for another place."""
    indent = ""
    for index in range(len(lines) - 1, -1, -1):
        words = lines[index].strip()
        if words in reasons:
            lines[index] = f"{indent}{words}"
        elif words and not words.startswith("#"):
            indent = lines[index][: len(lines[index]) - len(lines[index].lstrip(" -"))].replace("-", " ")
    return lines


def _read(yaml: YAML, path: Path) -> Fields:
    content = path.read_bytes()
    if len(content) > _MOST_BYTES:
        raise AttachError(f"{path} is larger than {_MOST_BYTES >> 20} MiB. Mend: name a bootstrap, not a dump")
    try:
        config = yaml.load(content.decode())
    except (YAMLError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:200]
        raise AttachError(f"{path} is no YAML ({reason}). Mend: write what `envoy --mode validate` accepts") from error
    if not isinstance(config, MutableMapping):
        raise AttachError(f"{path} holds no configuration of Envoy. Mend: name its bootstrap file")
    return config


def _managers(resources: Fields, name: str | None) -> list[_Manager]:
    """Find the connection managers of the listener that is meant."""
    listeners = _sequence(resources.get("listeners"), "static_resources.listeners")
    found: dict[str, list[_Manager]] = {}
    for index, each in enumerate(listeners):
        path = f"static_resources.listeners[{index}]"
        listener = _mapping(each, path)
        label = str(listener.get("name") or path)
        managers = list(_managers_of(listener, path))
        if managers:
            found.setdefault(label, []).extend(managers)
    if name is None and len(found) > 1:
        raise AttachError(f"several listeners take HTTP: {', '.join(found)}. Mend: choose one with --listener")
    chosen = next(iter(found.values()), []) if name is None else found.get(name, [])
    if not chosen:
        there = f"those that take HTTP are {', '.join(found)}" if found else "none takes HTTP in the file itself"
        raise AttachError(f"there is no listener {name or ''} to attach to; {there}. Mend: name one with --listener")
    return chosen


def _managers_of(listener: Fields, path: str) -> Iterator[_Manager]:
    chains = [(f"{path}.filter_chains[{i}]", each) for i, each in enumerate(listener.get("filter_chains") or [])]
    if "default_filter_chain" in listener:
        chains.append((f"{path}.default_filter_chain", listener["default_filter_chain"]))
    for chain_path, chain in chains:
        for index, each in enumerate(_mapping(chain, chain_path).get("filters") or []):
            config = _mapping(each, f"{chain_path}.filters[{index}]").get("typed_config") or {}
            if _is(config, _MANAGER):
                yield _Manager(listener=listener, path=f"{chain_path}.filters[{index}].typed_config", fields=config)


def _attach_manager(manager: _Manager, pieces: _Pieces) -> None:
    fields = manager.fields
    _add_virtual_host(manager, pieces)
    _add_filters(manager, pieces)
    for name, value in pieces.of("manager").items():
        mine, theirs = value, fields.get(name)
        if isinstance(mine, MutableMapping) and isinstance(theirs, MutableMapping):
            theirs.update(mine)
        else:
            fields[name] = mine
    fields.setdefault("access_log", []).extend(pieces.of("access_log"))
    manager.listener.update(pieces.of("listener"))


def _add_filters(manager: _Manager, pieces: _Pieces) -> None:
    path = f"{manager.path}.http_filters"
    filters = _sequence(manager.fields.get("http_filters"), path)
    mine = pieces.of("filters")
    names = {each.get("name") for each in filters}
    for each in mine:
        if each["name"] in names:
            raise AttachError(
                f"{path} has a filter {each['name']} already. Mend: remove it, or render into a listener of its own"
            )
    if not filters or not _is_router(filters[-1]):
        raise AttachError(f"{path} does not end with the router. Mend: put envoy.filters.http.router last")
    router = filters[-1]
    config = router.setdefault("typed_config", {})
    for name, value in pieces.of("router").items():
        if name == "upstream_log":
            config.setdefault(name, []).extend(value)
        else:
            config[name] = value
    filters[-1:-1] = mine


def _is_router(fields: Fields) -> bool:
    config = fields.get("typed_config")
    return _is(config, _ROUTER) if config else fields.get("name") == "envoy.filters.http.router"


def _add_virtual_host(manager: _Manager, pieces: _Pieces) -> None:
    path = f"{manager.path}.route_config"
    routes = manager.fields.get("route_config")
    if not isinstance(routes, MutableMapping):
        raise AttachError(
            f"{path} is not there: the routes come from a control plane. Mend: have it add what "
            "`situs mesh render --for envoy --part fragment` shows, then try `situs mesh check --admin`"
        )
    hosts = routes.setdefault("virtual_hosts", [])
    mine = pieces.of("virtual_host")
    for index, other in enumerate(hosts):
        where = f"{path}.virtual_hosts[{index}]"
        shared = sorted({str(each).lower() for each in other.get("domains") or []} & set(mine["domains"]))
        if shared or other.get("name") == mine["name"]:
            what = f"takes {', '.join(shared)} too" if shared else f"is named {mine['name']} too"
            raise AttachError(
                f"{where} {what}. Mend: write in the mesh file by which names clients ask for models, as "
                "`listener: {hosts: [models.acme.example], …}`, and take them from that virtual host"
            )
        per_filter = other.setdefault("typed_per_filter_config", {})
        per_filter.update(pieces.of("elsewhere"))
    hosts.append(mine)


def _add_clusters(resources: Fields, pieces: _Pieces) -> None:
    clusters = resources.setdefault("clusters", [])
    taken = {each.get("name") for each in clusters}
    for each in pieces.of("clusters"):
        if each["name"] in taken:
            raise AttachError(
                f"static_resources.clusters has a cluster '{each['name']}' already. Mend: name it otherwise, or write "
                "another `cluster:` for the region in the policy"
            )
        clusters.append(each)


def _is(config: object, type_: str) -> bool:
    return isinstance(config, Mapping) and str(config.get("@type", "")).rpartition("/")[2] == type_


def _mapping(value: object, path: str) -> Fields:
    if not isinstance(value, MutableMapping):
        raise AttachError(f"{path} is no mapping. Mend: name a bootstrap with static listeners")
    return value


def _sequence(value: object, path: str) -> MutableSequence[Any]:
    if not isinstance(value, MutableSequence):
        raise AttachError(f"{path} is no list. Mend: name a bootstrap with static listeners")
    return value
