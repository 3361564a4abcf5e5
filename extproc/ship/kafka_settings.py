"""The settings of the Kafka client: what we insist on, and what an operator adds."""

import stat
from pathlib import Path
from typing import Final, TypeAlias

from extproc.ship.config import KafkaPlace, is_loopback
from extproc.ship.errors import DestinationRefusedError

Settings: TypeAlias = dict[str, str | int | float | bool]

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_OWN: Final = frozenset({"bootstrap.servers", "transactional.id", "enable.idempotence", "acks", "isolation.level"})


def settings_of(place: KafkaPlace) -> Settings:
    """Give the client's settings. Raises DestinationRefusedError."""
    local = all(is_loopback(each.rpartition(":")[0]) for each in place.bootstrap.split(","))
    settings: Settings = {
        "bootstrap.servers": place.bootstrap,
        "security.protocol": "plaintext" if local else "ssl",
        "client.id": "situs-ship",
        # Kafka: KIP-714 lets a broker ask clients for figures about themselves. Ours sends entries and nothing else.
        "enable.metrics.push": False,
    }
    return settings if place.settings is None else {**settings, **_read_settings(place.settings)}


def _read_settings(path: Path) -> Settings:
    try:
        if stat.S_IMODE(path.stat().st_mode) & _OTHERS:
            raise DestinationRefusedError(
                f"{path}: others may read it, and it may hold secrets. Mend: chmod 600 {path}"
            )
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DestinationRefusedError(f"{path}: cannot be read ({error}). Mend: check the path") from None
    settings: Settings = {}
    for number, line in enumerate(lines, 1):
        if line.strip() and not line.startswith("#"):
            name, equals, value = (part.strip() for part in line.partition("="))
            if not equals or not name or name in _OWN:
                raise DestinationRefusedError(
                    f"{path}:{number}: no setting that may stand here. Mend: write name=value, and none of "
                    f"{', '.join(sorted(_OWN))}"
                )
            settings[name] = value
    return settings
