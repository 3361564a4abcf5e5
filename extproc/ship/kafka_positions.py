"""How far each log was copied, as the topic of positions says it."""

import time
from typing import Final

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from extproc.ship.errors import StoreAwayError
from extproc.ship.kafka_settings import Settings

_ANSWER_S: Final = 15.0
_SETTLE_S: Final = 90.0
"""Longer than the broker keeps the open transaction of somebody who died."""


def read_positions(settings: Settings, topic: str) -> dict[str, int]:
    """Read the last committed position of every log, by its origin. Raises KafkaException and StoreAwayError.

    Up to the end that every partition has now, and not to the last stable offset: behind an open transaction of another
    node there may be positions of ours.
    """
    common: Settings = {**settings, "group.id": "situs-ship", "enable.auto.commit": False}
    plain = Consumer({**common, "isolation.level": "read_uncommitted"})
    try:
        ends: dict[int, int] = {}
        for number in plain.list_topics(topic, timeout=_ANSWER_S).topics[topic].partitions:
            low, high = plain.get_watermark_offsets(TopicPartition(topic, number), timeout=_ANSWER_S)
            if high > low:
                ends[number] = high
    finally:
        plain.close()
    if not ends:
        return {}
    committed = Consumer({**common, "isolation.level": "read_committed", "enable.partition.eof": True})
    try:
        committed.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in ends])
        return _read(committed, topic, ends)
    finally:
        committed.close()


def _read(consumer: Consumer, topic: str, ends: dict[int, int]) -> dict[str, int]:
    positions: dict[str, int] = {}
    deadline = time.monotonic() + _SETTLE_S
    while ends:
        message = consumer.poll(0.5)
        if time.monotonic() > deadline:
            raise StoreAwayError(f"{topic}: somebody's transaction stays open. Mend: look at the brokers")
        if message is None:
            continue
        error, partition, offset = message.error(), message.partition(), message.offset()
        if error is None:
            key, value = message.key(), message.value()
            if key is not None and value is not None:
                positions[_text(key)] = int(_text(value))
        elif error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - so it is called, and documented
            raise KafkaException(error)
        elif partition is not None and offset is not None and offset >= ends.get(partition, offset + 1):
            # Markers of transactions take offsets too, so only the end tells that all before it was seen.
            del ends[partition]
    return positions


def _text(data: bytes | str) -> str:
    return data if isinstance(data, str) else data.decode()
