"""The configuration as YAML, each field with its reason."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, cast

from extproc.mesh.envoy.bootstrap import Bootstrap
from extproc.mesh.envoy.reasons import REASONS
from extproc.mesh.yaml_text import Json, write_yaml

if TYPE_CHECKING:
    import betterproto2

# The messages' fields are named as in the protobuf files. The library's own snake casing would make `5_xx` of `5xx`.
_AS_NAMED: Final = cast("betterproto2.Casing", str)


def format_bootstrap(rendered: Bootstrap, *, heading: str = "") -> str:
    """Write the configuration for `envoy --config-path`. `heading` becomes a comment at the top."""
    return write_yaml(fields_of(rendered), heading=heading, reasons=REASONS)


def fields_of(message: "betterproto2.Message") -> Mapping[str, Json]:
    """Give a message as the fields of its JSON form, named as in the protobuf files."""
    return cast("Mapping[str, Json]", message.to_dict(casing=_AS_NAMED))
