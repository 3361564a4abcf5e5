"""The line at which a path of a finding stands in its file, or that of the nearest field above it which is there."""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

import yaml
from yaml.error import YAMLError

from extproc.mesh.check.resource import title_of
from extproc.mesh.spelling import snake_case

_MOST_BYTES: Final = 4 << 20
"""What is longer is a dump, of which nobody reads lines."""
_INDEX: Final = re.compile(r"\[([0-9]+)\]")


def line_of(text: bytes, path: str) -> int | None:
    """Give the line, from 1 on; None where it cannot be told."""
    roots = _roots(text)
    rest = path
    found = None
    for number, (title, node) in enumerate(roots, 1):
        prefix = title or f"document {number}: "
        if path.startswith(prefix):
            found, rest = node, path.removeprefix(prefix)
            break
    else:
        if len(roots) == 1:
            found = roots[0][1]
    if found is None:
        return None
    line: int = _deepest(found, rest).start_mark.line + 1
    return line


# The nodes of PyYAML carry no types, so they are Any up to here and no further.
@lru_cache(maxsize=4)
def _roots(text: bytes) -> tuple[tuple[str, Any], ...]:
    """Give the documents of a file, and the items of lists in it, each with the title by which it is known, if any."""
    if len(text) > _MOST_BYTES:
        return ()
    try:
        documents = [node for node in yaml.compose_all(text, Loader=yaml.CSafeLoader) if not _is_empty(node)]
    except (YAMLError, ValueError, RecursionError):
        return ()
    return tuple(root for document in documents for root in _titled(document))


def _titled(node: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - see above
    kind = _text(node, "kind")
    if kind.endswith("List"):
        items = _value(node, "items")
        for item in getattr(items, "value", ()):
            for title, root in _titled(item):
                yield title or _title(kind.removesuffix("List"), item), root
        return
    yield _title(kind, node) if kind else "", node


def _title(kind: str, node: Any) -> str:  # noqa: ANN401 - see above
    metadata = _value(node, "metadata")
    return f"{title_of(kind, _text(metadata, 'namespace'), _text(metadata, 'name'))}: "


def _deepest(node: Any, path: str) -> Any:  # noqa: ANN401 - see above
    rest = path.removeprefix(".")
    if isinstance(node, yaml.SequenceNode):
        index = _INDEX.match(rest)
        if index and int(index[1]) < len(node.value):
            return _deepest(node.value[int(index[1])], rest[index.end() :])
    elif isinstance(node, yaml.MappingNode):
        # Keys of maps may hold dots, so the longest that fits is the one.
        for key, value in sorted(node.value, key=lambda pair: -len(str(pair[0].value))):
            for name in _spellings(str(key.value)):
                after = rest.removeprefix(name)
                if rest.startswith(name) and after[:1] in ("", ".", "["):
                    below = _deepest(value, after)
                    return key if below is value else below
    return node


def _spellings(name: str) -> tuple[str, ...]:
    return name, snake_case(name), re.sub("_([a-z])", lambda s: s[1].upper(), name)


def _value(node: Any, name: str) -> Any:  # noqa: ANN401 - see above
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == name), None)
    return None


def _text(node: Any, name: str) -> str:  # noqa: ANN401 - see above
    value = _value(node, name)
    return value.value if isinstance(value, yaml.ScalarNode) else ""


def _is_empty(node: Any) -> bool:  # noqa: ANN401 - see above
    return node is None or (isinstance(node, yaml.ScalarNode) and node.tag.endswith(":null"))
