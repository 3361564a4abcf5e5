"""How fields of protobuf messages are spelled. SPEC: ProtoJSON takes lowerCamelCase and snake_case alike."""

import re
from functools import lru_cache
from typing import Final

_HUMP: Final = re.compile(r"(?<=[a-z0-9])([A-Z])")


@lru_cache(maxsize=4096)
def snake_case(name: str) -> str:
    """Give the name as the protobuf files have it."""
    return _HUMP.sub(lambda hump: f"_{hump[1].lower()}", name)
