"""A Kafka topic as a copy of the entries, for systems that follow events. It is no evidence: the store is.

What is guaranteed, to consumers that read with `isolation.level=read_committed`:

- each entry that a published checkpoint covers comes exactly once, in the order of its log;
- a record's key is the origin of its log, so one partition has all of a log, as long as the number of partitions
  stays; its value is the entry's bytes as they were hashed; its headers are `index`, `leaf` (the leaf hash in hex) and
  `kind`;
- an entry that was pruned before it was copied is missing, and is told in the status.

How: the position of a log is a record in `TOPIC.positions`, which is compacted, and is written in the same transaction
as the entries. Whoever begins first takes the transactional id of the node, which ends any shipper that had it, and
then reads the positions as they are committed; so neither a kill, nor a lost disk, nor two shippers at once repeat or
leave out anything.
"""

from collections.abc import Sequence
from typing import Final

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType  # type: ignore[attr-defined]

from extproc.ledger.entries import kind_of, parse_entry
from extproc.ledger.merkle import leaf_hash
from extproc.notes.errors import NoteError
from extproc.ship.config import KafkaPlace
from extproc.ship.errors import DestinationRefusedError, StoreAwayError
from extproc.ship.kafka_positions import read_positions
from extproc.ship.kafka_settings import settings_of

POSITIONS: Final = ".positions"
_ANSWER_S: Final = 15.0


class KafkaTopic:
    """One topic, and the right to copy the logs of one node there. Used by one thread."""

    def __init__(self, place: KafkaPlace, node: str) -> None:
        """Make no connection yet. `node` begins the origins of the logs. Raises DestinationRefusedError."""
        self.location = f"kafka://{place.bootstrap}/{place.topic}"
        self._topic = place.topic
        self._node = node
        self._settings = settings_of(place)
        self._producer: Producer | None = None
        self._positions: dict[str, int] = {}

    def begin(self) -> None:
        """Take over from whoever copied before, and learn how far that was; once, until something fails."""
        if self._producer is not None:
            return
        self._check_topics()
        producer = Producer(
            {
                **self._settings,
                "transactional.id": f"situs-ship/{self._topic}/{self._node}",
                "enable.idempotence": True,
                "acks": "all",
                # As Java's clients choose a partition, so that others can find a log's by its origin.
                "partitioner": "murmur2_random",
                "linger.ms": 5,
                "transaction.timeout.ms": 60_000,
            }
        )
        try:
            producer.init_transactions(_ANSWER_S)
            self._positions = read_positions(self._settings, f"{self._topic}{POSITIONS}")
        except KafkaException as error:
            raise self._away(error) from None
        self._producer = producer

    def position(self, origin: str) -> int:
        """Give the index of the first entry of a log that was not copied."""
        return self._positions.get(origin, 0)

    def copy(self, origin: str, first: int, entries: Sequence[bytes], end: int) -> None:
        """Copy entries from index `first` on, and note `end` as the log's position, both or neither.

        Raises StoreAwayError; then :meth:`begin` anew.
        """
        producer = self._producer
        if producer is None:
            raise StoreAwayError(f"{self.location}: not begun")
        failed: list[KafkaError] = []

        def delivered(error: KafkaError | None, _: object) -> None:
            if error is not None:
                failed.append(error)

        try:
            producer.begin_transaction()
            for i, entry in enumerate(entries):
                headers: list[tuple[str, str | bytes | None]] = [
                    ("index", str(first + i)),
                    ("leaf", leaf_hash(entry).hex()),
                    ("kind", _kind(entry)),
                ]
                producer.produce(self._topic, key=origin, value=entry, headers=headers, on_delivery=delivered)
            producer.produce(f"{self._topic}{POSITIONS}", key=origin, value=str(end), on_delivery=delivered)
            producer.commit_transaction(_ANSWER_S)
        except (KafkaException, BufferError) as error:
            # Whether it was committed is learnt from the positions, when it is begun anew.
            self._let_go()
            raise self._away(error) from None
        if failed:
            self._let_go()
            raise StoreAwayError(f"{self.location}: {failed[0].str()}. Mend: look at the brokers")
        self._positions[origin] = end

    def _check_topics(self) -> None:
        admin = AdminClient(self._settings)
        try:
            known = admin.list_topics(timeout=_ANSWER_S).topics
        except KafkaException as error:
            raise self._away(error) from None
        positions = f"{self._topic}{POSITIONS}"
        for topic in (self._topic, positions):
            if topic not in known or known[topic].error is not None:
                raise DestinationRefusedError(
                    f"{self.location}: there is no topic {topic}. Mend: kafka-topics.sh --create --topic {topic}"
                    f"{' --config cleanup.policy=compact' if topic == positions else ''}"
                )
        resource = ConfigResource(ResourceType.TOPIC, positions)
        try:
            found = admin.describe_configs([resource])[resource].result(_ANSWER_S)
        except KafkaException as error:
            raise self._away(error) from None
        policy = found["cleanup.policy"].value
        if policy != "compact":
            raise DestinationRefusedError(
                f"{self.location}: {positions} has cleanup.policy={policy}, so positions would be forgotten and "
                f"entries copied twice. Mend: kafka-configs.sh --alter --entity-type topics --entity-name {positions} "
                "--add-config cleanup.policy=compact"
            )

    def _let_go(self) -> None:
        if self._producer is not None:
            self._producer.purge(blocking=False)
            self._producer = None

    def _away(self, error: Exception) -> StoreAwayError:
        words = error.args[0].str() if isinstance(error, KafkaException) else str(error)
        return StoreAwayError(f"{self.location}: {words}. Mend: look at the brokers, and at who else copies this node")


def _kind(entry: bytes) -> str:
    try:
        return kind_of(parse_entry(entry))
    except NoteError:
        return "unknown"
