"""The attachment to an Envoy that is there already: its own configuration, with our pieces put where they belong.

What the operator wrote stays, comments and order too, so that the change can be read in a pull request. What would make
the result leak, or would leave open whose a request is, is refused with the mend; whether the rest of the configuration
keeps to the policy is for `situs mesh check` to say.
"""

import io
from collections.abc import Container, Iterator, Mapping, MutableMapping, MutableSequence, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias, cast

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from extproc.mesh.envoy.fragment import Fragment
from extproc.mesh.envoy.reasons import REASONS
from extproc.mesh.envoy.written import camel_cased, write_as_block
from extproc.mesh.yaml_text import Json, write_yaml

Fields: TypeAlias = MutableMapping[str, Any]

_MANAGER: Final = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_ROUTER: Final = "envoy.extensions.filters.http.router.v3.Router"
_HOPS: Final = "xff_num_trusted_hops"
_ADDED_TO: Final = frozenset(
    "access_log filters filter_chains default_filter_chain http_filters route_config typed_config "
    "typed_per_filter_config upstream_log virtual_hosts".split()
)
"""What is looked for or added to, besides what is set."""
_MOST_BYTES: Final = 16 << 20
_WIDE: Final = 4096


class AttachError(Exception):
    """The configuration cannot be attached to; the text names the place and the mend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Manager:
    listener: Fields
    chain: Fields
    path: str
    fields: Fields


def attach(existing: Path, fragment: Fragment, *, listeners: Sequence[str] = ()) -> str:
    """Give the configuration in the file `existing` with the fragment's pieces in it.

    `listeners` names those whose requests are decided, where several take HTTP. Raises AttachError, and OSError where
    the file cannot be read.
    """
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = _WIDE
    config = _read(yaml, existing)
    pieces = _Pieces(fragment)
    resources = _mapping(config.get("static_resources"), "static_resources")
    chosen = _managers(resources, listeners)
    for manager in chosen:
        _check_spelling(manager, pieces)
        if fragment.certificates:
            _check_certificates(manager)
        _attach_manager(manager, pieces)
    _check_shared(resources, chosen, pieces)
    _add_clusters(resources, pieces)
    if "node" not in config:
        config.update(pieces.mapping("node"))
    write_as_block(config, {id(part) for part in (*pieces.taken, *(manager.listener for manager in chosen))})
    written = io.StringIO()
    yaml.dump(config, written)
    return "\n".join(_beside_their_fields(written.getvalue().split("\n"), pieces.reasons))


class _Pieces:
    """The fragment as values that bear their reasons as comments; each taken anew, because a value has one place."""

    def __init__(self, fragment: Fragment) -> None:
        self._fragment = fragment
        self.reasons: set[str] = set()
        self.taken: list[object] = []

    def mapping(self, name: str) -> Fields:
        return self._loaded({name: getattr(self._fragment, name)})

    def of(self, name: str) -> Any:  # noqa: ANN401 - whatever the piece is
        return self.mapping(name)[name]

    def _loaded(self, fields: Mapping[str, Json]) -> Fields:
        text = write_yaml(fields, reasons=REASONS)
        self.reasons.update(line.strip() for line in text.split("\n") if line.lstrip().startswith("#"))
        loaded = cast("Fields", YAML().load(text))
        self.taken.extend(_parts(loaded))
        return loaded


def _parts(value: object) -> Iterator[object]:
    """Give every mapping and list in a value."""
    if isinstance(value, MutableMapping | MutableSequence):
        yield value
        for each in value.values() if isinstance(value, MutableMapping) else value:
            yield from _parts(each)


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


def _managers(resources: Fields, names: Sequence[str]) -> list[_Manager]:
    """Find the connection managers of the listeners that are meant."""
    listeners = _sequence(resources.get("listeners"), "static_resources.listeners")
    found: dict[str, list[_Manager]] = {}
    for index, each in enumerate(listeners):
        path = f"static_resources.listeners[{index}]"
        listener = _mapping(each, path)
        label = str(listener.get("name") or path)
        managers = list(_managers_of(listener, path))
        if managers:
            found.setdefault(label, []).extend(managers)
    there = f"those that take HTTP are {', '.join(found)}" if found else "none takes HTTP in the file itself"
    if not names and len(found) > 1:
        raise AttachError(
            f"several listeners take HTTP: {', '.join(found)}. Mend: choose with --listener, once for each"
        )
    if not found:
        raise AttachError(f"there is no listener to attach to; {there}. Mend: name the file that has it")
    for name in names:
        if name not in found:
            raise AttachError(f"there is no listener {name} to attach to; {there}. Mend: name one with --listener")
    return [manager for name in dict.fromkeys(names or found) for manager in found[name]]


def _managers_of(listener: Fields, path: str) -> Iterator[_Manager]:
    chains = [(f"{path}.filter_chains[{i}]", each) for i, each in enumerate(listener.get("filter_chains") or [])]
    if "default_filter_chain" in listener:
        chains.append((f"{path}.default_filter_chain", listener["default_filter_chain"]))
    for chain_path, chain in chains:
        for index, each in enumerate(_mapping(chain, chain_path).get("filters") or []):
            path = f"{chain_path}.filters[{index}]"
            config = _mapping(each, path).get("typed_config") or {}
            if _is(config, _MANAGER):
                yield _Manager(listener=listener, chain=chain, path=f"{path}.typed_config", fields=config)


def _check_certificates(manager: _Manager) -> None:
    """Refuse a listener whose client certificates nobody verifies: anybody could then name any tenant's id.

    ENVOY: an unverified certificate gives its URI as well.
    """
    socket = manager.chain.get("transport_socket") or {}
    common = (socket.get("typed_config") or {}).get("common_tls_context") or {}
    combined = common.get("combined_validation_context") or {}
    context = common.get("validation_context") or combined.get("default_validation_context") or {}
    from_secret = "validation_context_sds_secret_config" in {*common, *combined}
    trusts = context.get("trust_chain_verification", "VERIFY_TRUST_CHAIN") == "VERIFY_TRUST_CHAIN"
    if not (trusts and ("trusted_ca" in context or from_secret)):
        raise AttachError(
            f"{manager.path.partition('.filters')[0]}.transport_socket verifies no client certificates, and the policy "
            "matches SPIFFE ids. Mend: give its common_tls_context a validation_context with the trusted_ca of the "
            "trust domain that the policy names, or render a whole Envoy"
        )


def _check_spelling(manager: _Manager, pieces: _Pieces) -> None:
    """Refuse fields in camelCase that we add to: they would stand twice."""
    names = {*_ADDED_TO, *pieces.of("manager"), *pieces.of("listener"), *pieces.of("router")}
    for path, name in camel_cased(manager.listener, names, manager.path.partition(".filter_chains")[0]):
        raise AttachError(f"{path} is written in camelCase, and ours would stand beside it. Mend: write {name}")


def _check_shared(resources: Fields, chosen: Sequence[_Manager], pieces: _Pieces) -> None:
    """Refuse an alias by which our routes are in a connection manager too that decides nothing."""
    ours = {id(manager.fields) for manager in chosen}
    name = pieces.of("virtual_host")["name"]
    for index, listener in enumerate(resources["listeners"]):
        for manager in _managers_of(listener, f"static_resources.listeners[{index}]"):
            hosts = (manager.fields.get("route_config") or {}).get("virtual_hosts") or []
            if id(manager.fields) not in ours and any(host.get("name") == name for host in hosts):
                raise AttachError(
                    f"{manager.path}.route_config is an alias of routes to which ours are added, and nothing is "
                    "decided there. Mend: write its routes out, or attach to this listener too"
                )


def _attach_manager(manager: _Manager, pieces: _Pieces) -> None:
    fields = manager.fields
    _add_virtual_host(manager, pieces)
    _add_filters(manager, pieces)
    mine = pieces.mapping("manager")["manager"]
    _same_hops(manager, mine)
    _set(fields, mine)
    _held(fields, "access_log", []).extend(pieces.of("access_log"))
    manager.listener.update(pieces.of("listener"))


def _same_hops(manager: _Manager, mine: Fields) -> None:
    """Refuse an edge that the policy knows otherwise: other hosts would be told other addresses of their clients."""
    theirs, ours = manager.fields.get(_HOPS), mine.get(_HOPS, 0)
    if theirs is not None and theirs != ours:
        raise AttachError(
            f"{manager.path}.{_HOPS} is {theirs}, and the policy's edge counts {ours}. Mend: make `ingress.edge` of "
            f"the policy say how many proxies of yours are in front of this listener, or mend {_HOPS}"
        )


def _set(fields: Fields, mine: Fields) -> None:
    """Set our fields. Theirs stay where they are lists, to which ours is added, or time-outs that are in force."""
    for name, value in mine.items():
        theirs = fields.get(name)
        if isinstance(value, MutableMapping) and isinstance(theirs, MutableMapping):
            _set(theirs, value)
        elif isinstance(value, MutableSequence) and isinstance(theirs, MutableSequence):
            # Behind theirs, so that nothing of theirs sets again what ours removes.
            theirs.extend(value)
        elif not (name.endswith("_timeout") and _is_some_time(theirs)):
            fields[name] = value


def _is_some_time(written: object) -> bool:
    """Tell whether a time-out is written and not switched off. ENVOY: `0s` is none."""
    return isinstance(written, str) and bool(written.rstrip("s").strip("0."))


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
    config = _held(router, "typed_config", {})
    for name, value in pieces.of("router").items():
        if name == "upstream_log":
            _held(config, name, []).extend(value)
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
            f"{path} is not there: the routes come from a control plane, or from another file. Mend: write them into "
            "this one, or put there what `situs mesh render --for envoy --part fragment` shows, and try it with "
            "`situs mesh check --admin`"
        )
    hosts = _held(routes, "virtual_hosts", [])
    mine = pieces.of("virtual_host")
    for index, other in enumerate(hosts):
        where = f"{path}.virtual_hosts[{index}]"
        theirs = {str(each).lower() for each in other.get("domains") or []}
        # A name with a port of its own would go before ours for every port.
        shared = sorted(each for each in theirs if {each, each.partition(":")[0]} & set(mine["domains"]))
        if shared or other.get("name") == mine["name"]:
            what = f"takes {', '.join(shared)} too" if shared else f"is named {mine['name']} too"
            raise AttachError(
                f"{where} {what}. Mend: write in the mesh file by which names clients ask for models, as "
                "`listener: {hosts: [models.acme.example], …}`, and take them from that virtual host"
            )
        per_filter = _held(other, "typed_per_filter_config", {})
        per_filter.update(pieces.of("elsewhere"))
    hosts.append(mine)


def _add_clusters(resources: Fields, pieces: _Pieces) -> None:
    clusters = _held(resources, "clusters", [])
    taken = {each.get("name") for each in clusters}
    for each in pieces.of("clusters"):
        if each["name"] in taken:
            raise AttachError(
                f"static_resources.clusters has a cluster '{each['name']}' already. Mend: name it otherwise, or write "
                "another `cluster:` for the region in the policy"
            )
        clusters.append(each)


def _held(fields: Fields, name: str, empty: Any) -> Any:  # noqa: ANN401 - a list or a mapping
    """Give what a field holds, `empty` where it is not there or holds nothing."""
    if fields.get(name) is None:
        fields[name] = empty
    return fields[name]


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
