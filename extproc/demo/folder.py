"""Where the demo's world keeps its files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

NODE: Final = "demo-node"


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """Where the world keeps what."""

    root: Path

    @property
    def policy(self) -> Path:
        """The policy, a copy that may be changed."""
        return self.root / "policy.yaml"

    @property
    def mesh(self) -> Path:
        """The mesh file."""
        return self.root / "mesh.yaml"

    @property
    def overrides(self) -> Path:
        """The legal overrides."""
        return self.root / "overrides.yaml"

    @property
    def geo(self) -> Path:
        """The geolocation database."""
        return self.root / "country.mmdb"

    @property
    def envoy(self) -> Path:
        """Envoy's rendered configuration."""
        return self.root / "envoy.yaml"

    @property
    def log(self) -> Path:
        """The decision log: the evidence."""
        return self.root / "log"

    @property
    def key(self) -> Path:
        """The log's signing key."""
        return self.root / "keys" / "log.key"

    @property
    def signer(self) -> Path:
        """The log's public key, as it is handed to an auditor."""
        return self.log / NODE / "0" / "signer.vkey"

    @property
    def socket(self) -> Path:
        """Where the sidecar listens for Envoy."""
        return self.root / "situs.sock"

    @property
    def models(self) -> Path:
        """The cells' model store."""
        return self.root / "models"

    @property
    def samples(self) -> Path:
        """The images that clients send."""
        return self.models / "digits" / "samples.json"

    @property
    def certificates(self) -> Path:
        """Certificates and keys, where the world has TLS."""
        return self.root / "certificates"

    def output(self, name: str) -> Path:
        """Name the file of what a process has said."""
        return self.root / "processes" / f"{name}.txt"

    def received(self, region: str) -> Path:
        """Name the file of what a cell has received, by its own account: one JSON line for each inference request."""
        return self.root / "received" / f"{region}.jsonl"
