"""What whoever receives an export reads first."""

from typing import Final

README: Final = "README.txt"

_HEAD: Final = """\
Evidence of Situs: {what}.

This file needs nothing but itself. Whatever it says of itself, find out yourself:

1. The keys. trust/claimed-*.vkey are the public keys that the exporter CLAIMS to be the right ones. Whoever made a
   false log can put a false key beside it. Compare them with the key that you were handed before you needed it.
"""

_LOGS: Final = """
2. With Situs (pip install situs):
       situs audit verify FILE.zip --key YOUR.vkey
       situs audit query "SELECT * FROM violations" FILE.zip --verify --key YOUR.vkey
       situs audit replay FILE.zip

3. Without Situs. Unpack it. Each <node>/<worker>/<incarnation>/log/ is a transparency log, byte for byte as
   https://c2sp.org/tlog-tiles, https://c2sp.org/tlog-checkpoint and https://c2sp.org/signed-note say:
       log/checkpoint      signed name, size and root of the log
       log/tile/0/...      256 leaf hashes each; tile/1 holds the roots of 256 such tiles, and so on
       log/tile/entries/   256 entries each, every one after its length in two bytes
   A leaf is SHA-256(0x00, entry), a node SHA-256(0x01, left, right), a signature Ed25519. Any reader of tlog-tiles
   will do, such as the transparency log code of the Go project (golang.org/x/mod/sumdb). By hand, for one signature:
       sed '/^$/,$d' log/checkpoint > text
       tail -n 1 log/checkpoint | cut -d ' ' -f 3 | base64 -d | tail -c 64 > signature
       { printf '\\060\\052\\060\\005\\006\\003\\053\\145\\160\\003\\041\\000'
         cut -d + -f 3- YOUR.vkey | base64 -d | tail -c 32; } > key
       openssl pkeyutl -verify -rawin -pubin -keyform DER -inkey key -in text -sigfile signature
   The entries are protobuf messages of the schema in entry.binpb; with any protoc, for the bytes of one entry:
       protoc --descriptor_set_in=entry.binpb --decode=situs.ledger.v1.Entry extproc/ledger/entry.proto < ENTRY

4. summary.json is what the exporter says of this evidence (an in-toto statement); summary.dsse.json, if it is there, is
   the same, signed. Neither is needed for anything above. `sha256sum -c SHA256SUMS` finds damage on the way.
"""

_SELECTION: Final = """
2. With Situs (pip install situs):
       situs audit check-proof FILE.zip --key YOUR.vkey

3. Without Situs. Unpack it. entries/<log>/<index>.entry are the bytes of a record, and <index>.tlog-proof beside it
   proves, as https://c2sp.org/tlog-proof says, that they are in a log whose root was signed. A leaf is
   SHA-256(0x00, entry), a node SHA-256(0x01, left, right), a signature Ed25519 over the text of the checkpoint. The
   entries are protobuf messages of the schema in entry.binpb, and entries.jsonl shows them as JSON; with any protoc:
       protoc --descriptor_set_in=entry.binpb --decode=situs.ledger.v1.Entry extproc/ledger/entry.proto < ENTRY

   This shows that these records were logged. It does not show that there are no others: for that, ask for whole logs.

4. summary.json is what the exporter says of this evidence (an in-toto statement); summary.dsse.json, if it is there, is
   the same, signed. Neither is needed for anything above. `sha256sum -c SHA256SUMS` finds damage on the way.
"""

LOGS: Final = "".join((_HEAD.format(what="whole decision logs"), _LOGS))
SELECTION: Final = "".join((_HEAD.format(what="chosen records, each with the proof that it was logged"), _SELECTION))
