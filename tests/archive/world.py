"""Files of evidence that mean nothing, for the tests of archives."""

from collections.abc import Mapping
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

FILES: Mapping[str, bytes] = {
    "node-1/0/000001-5f3a90c2/log/checkpoint": b"note\n",
    "node-1/0/000001-5f3a90c2/log/tile/0/000.p/8": bytes(256),
    "node-1/0/000001-5f3a90c2/log/tile/entries/000.p/8": bytes(range(256)) * 300,
    "node-1/0/000001-5f3a90c2/log.vkey": b"",
    "node-1/0/signer.vkey": b"name+key\n",
    "node-10/0/signer.vkey": b"another\n",
    "node-1/0/.unborn/log.vkey": b"unfinished",
    ".hidden": b"unfinished",
}


def write_zip(path: Path, files: Mapping[str, bytes]) -> Path:
    with ZipFile(path, "w", ZIP_DEFLATED) as file:
        file.mkdir("node-1")
        for name, data in files.items():
            file.writestr(name, data)
    return path
