"""How somebody else's configuration is written: what of that would change the meaning of what is put into it."""

from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any

from extproc.mesh.spelling import snake_case


def camel_cased(value: object, names: Container[str], path: str) -> Iterator[tuple[str, str]]:
    """Give the path and the usual spelling of each field of `names` that is written in camelCase.

    SPEC: ProtoJSON takes both spellings. ENVOY: of a field that stands in both it takes one, and says nothing.
    """
    if isinstance(value, Mapping):
        for written, each in value.items():
            name = snake_case(str(written))
            if name != written and name in names:
                yield f"{path}.{written}", name
            yield from camel_cased(each, names, f"{path}.{written}")
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for index, each in enumerate(value):
            yield from camel_cased(each, names, f"{path}[{index}]")


def write_as_block(value: Any, touched: Container[int]) -> bool:  # noqa: ANN401 - whatever the reader made
    """Let what has a touched part be written line by line: our reasons are comments, and braces end at none.

    `touched` has the `id` of each part; True where there is one.
    """
    parts: Sequence[Any] = ()
    if isinstance(value, Mapping):
        parts = tuple(value.values())
    elif isinstance(value, Sequence) and not isinstance(value, str):
        parts = value
    # Each of them, not only until the first that has one.
    within = [write_as_block(each, touched) for each in parts]
    has = any(within) or id(value) in touched
    if has and hasattr(value, "fa"):
        value.fa.set_block_style()
    return has
