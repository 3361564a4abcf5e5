"""TLS in the demo's world: a certificate for each peer, by an authority that is made with it and ends in a day."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from ssl import PROTOCOL_TLS_CLIENT, SSLContext
from typing import Final

from extproc.core.ids import RegionId
from extproc.mesh.certs import layout_of_regions, write_certificates

DOMAIN: Final = "demo.situs"
ENVOY: Final = f"spiffe://{DOMAIN}/envoy"
SIDECAR: Final = f"spiffe://{DOMAIN}/sidecar"
_LIFETIME: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Secured:
    """The certificates of a world, all in one folder, and who is told what of them."""

    folder: Path

    @property
    def authorities(self) -> Path:
        """Whom everybody believes."""
        return self.folder / "authorities.pem"

    def pair(self, name: str) -> tuple[Path, Path]:
        """Name the certificate and the key of `listener`, `envoy`, `sidecar`, `cell-REGION` or `client`."""
        return self.folder / f"{name}.pem", self.folder / f"{name}.key"

    def write(self, regions: Sequence[RegionId]) -> None:
        """Make all of them."""
        write_certificates(layout_of_regions(self.folder, DOMAIN, regions), at=datetime.now(UTC), lifetime=_LIFETIME)

    def of_listener(self) -> dict[str, object]:
        """Give the mesh file's section `listener.tls`: every client must show a certificate."""
        return {**self._section("listener"), "clients": str(self.authorities), "required": True}

    def of_peers(self) -> dict[str, object]:
        """Give the mesh file's section `tls`."""
        return {
            **self._section("envoy"),
            "authorities": str(self.authorities),
            "identity": ENVOY,
            "sidecar": SIDECAR,
        }

    def options(self, name: str, *peers: str) -> list[str | Path]:
        """Give the options of a server that shows the certificate of `name`, and lets in `peers`."""
        certificate, key = self.pair(name)
        return [
            "--tls-certificate", certificate, "--tls-key", key, "--tls-authorities", self.authorities,
            *(part for peer in peers for part in ("--tls-peer", peer)),
        ]  # fmt: skip

    def context(self, name: str) -> SSLContext:
        """Give the TLS of one who asks with the certificate of `name`. Who answers is known by its authority only."""
        context = SSLContext(PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.load_verify_locations(self.authorities)
        context.load_cert_chain(*self.pair(name))
        return context

    def _section(self, name: str) -> dict[str, object]:
        certificate, key = self.pair(name)
        return {"certificate": str(certificate), "key": str(key)}


def identity_of(region: RegionId) -> str:
    """Give the SPIFFE id of a region's cells."""
    return f"spiffe://{DOMAIN}/cells/{region}"
