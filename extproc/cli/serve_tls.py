"""What `situs serve` is told about TLS, from its options and from the mesh file."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from extproc.mesh.section import Mesh
    from extproc.sidecar.tls import TlsSettings


def add_tls(parser: argparse.ArgumentParser) -> None:
    """Add the options about TLS."""
    group = parser.add_argument_group(
        "mutual TLS, where Envoy comes by host:port or the mesh file has `tls`",
        "All files are PEM, and are taken anew when they are replaced; those that cannot be used are refused, with the "
        "last good ones kept (situs_tls_reloads_total). Connections that exist go on.",
    )
    group.add_argument(
        "--tls-certificate",
        type=Path,
        metavar="FILE",
        help="what Envoy and the cells are shown: a certificate of one SPIFFE id, then its intermediates",
    )
    group.add_argument("--tls-key", type=Path, metavar="FILE", help="its key, without a passphrase")
    group.add_argument(
        "--tls-authorities", type=Path, metavar="FILE", help="whose certificates are believed, Envoy's and the cells'"
    )
    group.add_argument(
        "--tls-peer",
        type=_peer,
        action="append",
        default=[],
        metavar="SPIFFE_ID",
        help="who may ask; again for each further one (default: the mesh file's `tls.identity`)",
    )


def _peer(written: str) -> str:
    from extproc.tls.identity import parse_spiffe

    try:
        return parse_spiffe(written)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def tls_settings(args: argparse.Namespace, mesh: "Mesh | None", listen: str) -> "TlsSettings | None":
    """Give what is shown, to whom and by whom; None where all is plain.

    Raises CredentialsError for files that cannot be used, and ValueError for options that do not fit each other, the
    mesh file or the address.
    """
    from extproc.sidecar.tls import TlsSettings
    from extproc.sidecar.watch import signatures
    from extproc.tls.credentials import CredentialFiles, load_credentials

    section = None if mesh is None else mesh.tls
    is_local = listen.startswith("unix:")
    given = [args.tls_certificate, args.tls_key, args.tls_authorities]
    if None in given:
        if any(given) or args.tls_peer:
            raise ValueError(
                "TLS needs --tls-certificate, --tls-key and --tls-authorities together. Mend: give all three, or none"
            )
        if section is not None:
            raise ValueError(
                "the mesh file has `tls`, and this sidecar has nothing to show to Envoy or the cells. Mend: give "
                "--tls-certificate, --tls-key and --tls-authorities"
            )
        return None
    if is_local and args.tls_peer:
        raise ValueError(
            f"--tls-peer says who may connect, and on {listen} the file's mode says it. Mend: leave it out"
        )
    if is_local and section is None:
        raise ValueError(
            f"on {listen} there is nothing to protect: the file's mode says who may connect. Mend: leave the --tls "
            "options out, or add `tls` to the mesh file where cells are to be asked by it"
        )
    peers = args.tls_peer or ([] if section is None else [section.identity])
    if not is_local and not peers:
        raise ValueError(f"nobody may ask on {listen}. Mend: say who with --tls-peer, or with `tls` in the mesh file")
    files = CredentialFiles(certificate=args.tls_certificate, key=args.tls_key, authorities=args.tls_authorities)
    seen = signatures(files.all())
    first = load_credentials(files)
    expected = None if section is None or is_local else section.sidecar
    if expected is not None and first.identity != expected:
        raise ValueError(
            f"{files.certificate}: it proves {first.identity}, and Envoy expects {expected} of the sidecar. Mend: use "
            "the certificate of that identity, or set `tls.sidecar` in the mesh file and render Envoy's anew"
        )
    return TlsSettings(
        files=files,
        first=first,
        seen=seen,
        peers=frozenset() if is_local else frozenset(peers),
        cells={}
        if section is None or mesh is None
        else {region: entry.identity for region, entry in mesh.regions.items() if entry.identity is not None},
    )
