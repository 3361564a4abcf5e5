"""What an entry must know of the entries before it, to be a row by itself.

A decision names the revision of its configuration, and the Genesis says what a release waits for. Both stand at the
beginning of a log or wherever they changed, so a part of a log is read with what came before it at hand.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from extproc.ledger import entry_pb2 as pb


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """What a ConfigSnapshot says of the decisions that name it."""

    policy: str
    policy_version: int
    policy_revision: str
    program: str
    ingress_region: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What holds at one place of a log. `durability` is None where its Genesis is not at hand."""

    durability: str | None = None
    configs: Mapping[str, Configuration] = field(default_factory=dict)

    def with_entry(self, entry: pb.Entry) -> "Context":
        """Give what holds after this entry."""
        match entry.WhichOneof("kind"):
            case "genesis":
                return replace(self, durability=entry.genesis.durability)
            case "config":
                return replace(self, configs={**self.configs, entry.config.revision: configuration_of(entry.config)})
            case _:
                return self

    def with_later(self, later: "Context") -> "Context":
        """Give what holds after a part in which `later` was found."""
        durability = self.durability if later.durability is None else later.durability
        return Context(durability=durability, configs={**self.configs, **later.configs})


def configuration_of(config: pb.ConfigSnapshot) -> Configuration:
    """Read what decisions need of a configuration."""
    return Configuration(
        policy=config.policy.id,
        policy_version=config.policy.version,
        policy_revision=config.policy.revision,
        program=config.program,
        ingress_region=config.ingress_region,
    )
