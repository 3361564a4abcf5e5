"""Parsing what a region promises, needs and has room for: nothing here says where data may go."""

from typing import Final

from extproc.core.ids import DependencyId
from extproc.policy.document import Need, RecoveryTarget
from extproc.policy.parse.scalars import parse_id
from extproc.strict_yaml import Reader, Table, Value, entries_of, integer, number, table_of

MAX_IN_FLIGHT: Final = 1_000_000
MIN_LATENCY_MS: Final = 1.0
MAX_LATENCY_MS: Final = 600_000.0
"""Ten minutes: beyond, nobody waits for a first byte."""
MIN_AGE_S: Final = 1.0
"""Dependencies are asked about once in a second, so nothing can be held to less."""
MAX_AGE_S: Final = 31_536_000.0
MIN_RTO_S: Final = 0.001
MAX_RTO_S: Final = 86_400.0
MAX_RPO_RECORDS: Final = 1_000_000_000

in_flight: Final[Reader[int]] = integer(minimum=1, maximum=MAX_IN_FLIGHT)
"""Reads `capacity:` and `quota:`."""

latency_ms: Final[Reader[float]] = number(minimum=MIN_LATENCY_MS, maximum=MAX_LATENCY_MS)
"""Reads `slo_ms:`, of a region or of a model."""


def _dependency(written: str) -> DependencyId:
    return DependencyId(parse_id(written))


def _need(_: DependencyId, value: Value) -> Need:
    def read(table: Table) -> Need:
        return Need(max_age_s=table.required("max_age_s", number(minimum=MIN_AGE_S, maximum=MAX_AGE_S)).value)

    return table_of(read)(value)


def _recovery(table: Table) -> RecoveryTarget:
    rto_s = table.required("rto_s", number(minimum=MIN_RTO_S, maximum=MAX_RTO_S))
    rpo_records = table.optional("rpo_records", integer(minimum=0, maximum=MAX_RPO_RECORDS), default=0)
    return RecoveryTarget(rto_s=rto_s.value, rpo_records=rpo_records.value)


needs: Final[Reader[dict[DependencyId, Need]]] = entries_of(_dependency, _need, minimum=1)
"""Reads `needs:`."""

recovery: Final[Reader[RecoveryTarget]] = table_of(_recovery)
"""Reads `recovery:`."""
