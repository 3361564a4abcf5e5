"""Values of entries as columns hold them. What no column can hold raises ValueError."""

from typing import Final, TypeAlias

from extproc.parquet.arrow import Value

Row: TypeAlias = tuple[Value, ...]

_ID_BYTES: Final = 16
_MICROSECONDS: Final = 1_000_000
_LATEST_S: Final = 253_402_300_800
"""The year 10000, which no calendar of a database reaches."""
_LARGEST: Final = (1 << 63) - 1


def micros(seconds: float) -> int:
    """Give a time in Unix microseconds. Raises ValueError for one that no calendar has."""
    if not 0 <= seconds < _LATEST_S:  # which no NaN is either
        raise ValueError(f"a time that no calendar has: {seconds} s")
    return round(seconds * _MICROSECONDS)


def number(value: int) -> int:
    """Give a number that a signed column holds. Raises ValueError for a larger one."""
    if value > _LARGEST:
        raise ValueError(f"a number over {_LARGEST}: {value}")
    return value


def opt_micros(present: bool, seconds: float) -> int | None:  # noqa: FBT001 - HasField's answer
    """Give a time that is there; None for one that is not."""
    return micros(seconds) if present else None


def uuid_of(raw: bytes) -> str:
    """Give a decision's id in canonical text: as :func:`extproc.ledger.ids.id_from_bytes`, for many at once."""
    if len(raw) != _ID_BYTES:
        raise ValueError(f"expected {_ID_BYTES} bytes of a decision id, found {len(raw)}")
    digits = raw.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
