"""Patches of an EnvoyPatchPolicy, applied as Envoy Gateway applies them: for tests where there is none.

SPEC: RFC 6902 and RFC 6901, with what Envoy Gateway 1.9 does beyond them: `add` makes the parents that are missing, and
`jsonPath` is first turned into pointers, to each of which `path` is appended. Of RFC 9535 only names, indices and
comparisons with a text are read; anything else is an error here.
"""

import copy
import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, Final, TypeAlias

Json: TypeAlias = Any

_STEP: Final = re.compile(
    r"(?P<deep>\.\.)?\.?(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)|\[(?P<index>[0-9]+)\]"
    r"|\[\?\(@\.(?P<key>[a-z_]+)==(?P<quote>['\"])(?P<text>[^'\"]*)(?P=quote)\)\])"
)


class PatchError(Exception):
    """The operation does not apply; nothing of it was done."""


def apply_operation(document: Json, operation: Mapping[str, Json]) -> Json:
    """Give the document as it is after one operation of a policy. Raises PatchError."""
    _check(operation)
    path = operation.get("path", "")
    pointers = [path]
    if "jsonPath" in operation:
        pointers = [_joined(pointer, path) for pointer in find(document, operation["jsonPath"])]
        if not pointers:
            raise PatchError(f"nothing is at {operation['jsonPath']}")
    changed = copy.deepcopy(document)
    for pointer in pointers:
        _apply_at(changed, pointer, operation)
    return changed


def find(document: Json, json_path: str) -> list[str]:
    """Give the pointers to what a path selects, in order. Raises PatchError for one that is not understood."""
    if not json_path.startswith("$") or json_path == "$":
        raise PatchError(f"{json_path} does not begin at the root, or ends there")
    found: list[tuple[str, Json]] = [("", document)]
    rest = json_path[1:]
    while rest:
        step = _STEP.match(rest)
        if step is None:
            raise PatchError(f"{json_path} is not understood at {rest}")
        rest = rest[step.end() :]
        starts = [each for start in found for each in _below(*start)] if step["deep"] else found
        found = [each for start in starts for each in _selected(*start, step)]
    return [pointer for pointer, _ in found]


def _below(pointer: str, value: Json) -> Iterator[tuple[str, Json]]:
    yield pointer, value
    for key, child in _children(value):
        yield from _below(f"{pointer}/{key}", child)


def _children(value: Json) -> list[tuple[str, Json]]:
    if isinstance(value, dict):
        return [(key.replace("~", "~0").replace("/", "~1"), child) for key, child in value.items()]
    return [(str(i), child) for i, child in enumerate(value)] if isinstance(value, list) else []


def _selected(pointer: str, value: Json, step: re.Match[str]) -> Iterator[tuple[str, Json]]:
    if step["name"] is not None:
        if isinstance(value, dict) and step["name"] in value:
            yield f"{pointer}/{step['name']}", value[step["name"]]
    elif step["index"] is not None:
        if isinstance(value, list) and int(step["index"]) < len(value):
            yield f"{pointer}/{step['index']}", value[int(step["index"])]
    else:
        for key, child in _children(value):
            if isinstance(child, dict) and child.get(step["key"]) == step["text"]:
                yield f"{pointer}/{key}", child


def _joined(pointer: str, path: str) -> str:
    return f"{pointer.removesuffix('/')}/{path.removeprefix('/')}" if path else pointer


def _check(operation: Mapping[str, Json]) -> None:
    kind = operation["op"]
    has_value, has_from = "value" in operation, "from" in operation
    needs_value = kind in ("add", "replace", "test")
    needs_from = kind in ("move", "copy")
    if kind != "remove" and not needs_value and not needs_from:
        raise PatchError(f"there is no operation {kind}")
    if has_value is not needs_value or has_from is not needs_from:
        raise PatchError(f"{kind} has a value or a from that it must not have, or lacks one")
    if "path" not in operation and "jsonPath" not in operation:
        raise PatchError("neither path nor jsonPath")


def _apply_at(document: Json, pointer: str, operation: Mapping[str, Json]) -> None:
    match operation["op"]:
        case "add":
            _add(document, pointer, copy.deepcopy(operation["value"]))
        case "replace":
            _taken(document, pointer)
            _put(document, pointer, copy.deepcopy(operation["value"]))
        case "test":
            if _taken(document, pointer) != operation["value"]:
                raise PatchError(f"{pointer} has another value")
        case "remove":
            _remove(document, pointer)
        case "copy":
            _add(document, pointer, copy.deepcopy(_taken(document, operation["from"])))
        case "move":
            value = _taken(document, operation["from"])
            _remove(document, operation["from"])
            _add(document, pointer, value)


def _parts(pointer: str) -> list[str]:
    if not pointer.startswith("/"):
        raise PatchError(f"{pointer!r} points to nothing in the document")
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer[1:].split("/")]


def _taken(document: Json, pointer: str) -> Json:
    for part in _parts(pointer):
        document = _child(document, part)
    return document


def _child(value: Json, part: str) -> Json:
    if isinstance(value, dict) and part in value:
        return value[part]
    if isinstance(value, list) and part.isdigit() and int(part) < len(value):
        return value[int(part)]
    raise PatchError(f"there is no {part}")


def _parent(document: Json, pointer: str) -> tuple[Json, str]:
    *folders, last = _parts(pointer)
    for part in folders:
        document = _child(document, part)
    return document, last


def _add(document: Json, pointer: str, value: Json) -> None:
    parts = _parts(pointer)
    here = document
    for part, following in pairwise(parts):
        try:
            here = _child(here, part)
        except PatchError as error:
            if {"/", "~"} & set(part):
                # ENVOY GATEWAY: such a parent is made under its escaped name, and then is not found.
                raise PatchError(f"there is no {part}, and it is not made") from error
            made: Json = [] if following == "-" or following.isdigit() else {}
            _insert(here, part, made)
            here = made
    _insert(here, parts[-1], value)


def _insert(container: Json, part: str, value: Json) -> None:
    if isinstance(container, dict):
        container[part] = value
    elif isinstance(container, list) and part == "-":
        container.append(value)
    elif isinstance(container, list) and part.isdigit() and int(part) <= len(container):
        container.insert(int(part), value)
    else:
        raise PatchError(f"nothing can be added at {part}")


def _put(document: Json, pointer: str, value: Json) -> None:
    container, last = _parent(document, pointer)
    if isinstance(container, dict):
        container[last] = value
    else:
        container[int(last)] = value


def _remove(document: Json, pointer: str) -> None:
    container, last = _parent(document, pointer)
    _child(container, last)
    del container[last if isinstance(container, dict) else int(last)]
