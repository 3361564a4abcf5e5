"""What an auditor is handed with a proof: files that say the same to a program, to a person, and to a shell.

Owns their names and texts. The script uses openssl, base64 and od, and nothing of ours.
"""

import json
from base64 import b64encode
from typing import Final

from extproc.audit.prove import Proof
from extproc.audit.tlog_proof import parse_tlog_proof
from extproc.ledger.checkpoint import parse_checkpoint
from extproc.ledger.entries import parse_entry
from extproc.ledger.log import DELEGATIONS, LOG_VKEY
from extproc.ledger.merkle import leaf_hash
from extproc.ledger.projection import Json, entry_to_json
from extproc.notes.errors import MalformedError
from extproc.notes.note import parse_note

ENTRY: Final = "entry.entry"
PROOF: Final = "entry.tlog-proof"
SHOWN: Final = "entry.json"
SCRIPT: Final = "how-to-check.sh"

_SCRIPT: Final = """\
#!/bin/sh
# How to check, without any program of Situs, that entry {index} is in the log
#   {origin}
# In this folder, run:  sh how-to-check.sh [VKEY]
# VKEY is a file with the public key that the operator handed you, once and before you needed it (name+hash+base64, see
# https://c2sp.org/signed-note). Without it the key in {vkey} is used, which came with this proof and so
# proves nothing about who signed: compare it with yours.
# It needs openssl, sha256sum, base64, od and sed. The formats: https://c2sp.org/tlog-proof, tlog-checkpoint, RFC 6962.
set -eu
vkey=${{1:-{vkey}}}
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
hash() {{ openssl dgst -sha256 -binary; }}

# 1. The proof: lines of text up to an empty line, then the checkpoint; its text ends at the next empty line.
sed '1,/^$/d' {proof} > "$work/checkpoint"
sed '/^$/,$d' "$work/checkpoint" > "$work/text"
index=$(sed -n 's/^index //p' {proof})
size=$(sed -n 2p "$work/text")

# 2. The signature over the checkpoint's text. A signature line is a dash, a name, and base64 of 4 bytes of key id and
#    64 bytes. A key line is name+id+base64 of 1 byte of type and 32 bytes; openssl wants a fixed header before those.
#    Of the keys and the signatures, the pair with the same key id is taken.
verified=no
while read -r key || [ -n "$key" ]; do
  id=$(printf '%s' "$key" | cut -d + -f 2)
  {{ printf '\\060\\052\\060\\005\\006\\003\\053\\145\\160\\003\\041\\000'
    printf '%s' "$key" | cut -d + -f 3- | base64 -d | tail -c 32; }} > "$work/key"
  sed '1,/^$/d' "$work/checkpoint" | while read -r dash name signature; do
    printf '%s' "$signature" | base64 -d > "$work/signature"
    if [ "$(head -c 4 "$work/signature" | od -An -tx1 | tr -d ' \\n')" = "$id" ]; then
      tail -c 64 "$work/signature" > "$work/found"
    fi
  done
  if [ -f "$work/found" ]; then
    openssl pkeyutl -verify -rawin -pubin -keyform DER -inkey "$work/key" -in "$work/text" -sigfile "$work/found"
    verified=yes
    echo "signed by: $key"
    break
  fi
done < "$vkey"
[ $verified = yes ] || {{ echo "no signature by a key in $vkey"; exit 1; }}

# 3. The entry as a leaf: SHA-256 of a zero byte and its bytes.
{{ printf '\\0'; cat {entry}; }} > "$work/leaf"
sha256sum < "$work/leaf"
hash < "$work/leaf" > "$work/node"

# 4. Up the tree: a node is SHA-256 of a byte 1, its left and its right child. The lines of the proof are the siblings.
at=$index
last=$((size - 1))
sed -n '/^index /,/^$/p' {proof} | sed '1d;$d' > "$work/siblings"
while read -r line; do
  [ "$last" -gt 0 ] || {{ echo "the proof is too long"; exit 1; }}
  printf '%s' "$line" | base64 -d > "$work/sibling"
  if [ $((at % 2)) = 1 ] || [ "$at" = "$last" ]; then
    {{ printf '\\001'; cat "$work/sibling" "$work/node"; }} | hash > "$work/next"
    while [ $((at % 2)) = 0 ] && [ "$at" != 0 ]; do at=$((at / 2)); last=$((last / 2)); done
  else
    {{ printf '\\001'; cat "$work/node" "$work/sibling"; }} | hash > "$work/next"
  fi
  mv "$work/next" "$work/node"
  at=$((at / 2))
  last=$((last / 2))
done < "$work/siblings"
[ "$last" = 0 ] || {{ echo "the proof is too short"; exit 1; }}

# 5. The root that comes out must be the one that was signed.
if [ "$(base64 < "$work/node" | tr -d '\\n')" = "$(sed -n 3p "$work/text")" ]; then
  echo "entry $index is in the log of $size entries whose root was signed"
else
  echo "entry $index is NOT in the signed tree"
  exit 1
fi
"""


def handout_of(proof: Proof) -> dict[str, bytes]:
    """Give the files by their names: the entry, its proof, both as JSON, the script, and what came beside the log."""
    files = {
        ENTRY: proof.entry,
        PROOF: proof.proof,
        SHOWN: (json.dumps(proof_to_json(proof), indent=2, ensure_ascii=False) + "\n").encode(),
        SCRIPT: script_for(proof).encode(),
    }
    if proof.vkeys:
        files[LOG_VKEY] = proof.vkeys
    if proof.delegations:
        files[DELEGATIONS] = proof.delegations
    return files


def proof_to_json(proof: Proof) -> Json:
    """Say in one JSON object what the entry holds and what proves it; `stored` are its bytes in base64."""
    parsed = parse_tlog_proof(proof.proof)
    note = parse_note(parsed.checkpoint)
    stated = parse_checkpoint(note.text)
    return {
        "log": proof.log.name,
        "origin": stated.origin,
        "index": proof.index,
        "leaf_hash": leaf_hash(proof.entry).hex(),
        "proof": {
            "size": stated.size,
            "root": stated.root.hex(),
            "hashes": [each.hex() for each in parsed.hashes],
            "checkpoint": parsed.checkpoint.decode(),
            "signers": [{"name": each.name, "key_id": each.key_id.hex()} for each in note.signatures],
        },
        "tlog_proof": proof.proof.decode(),
        "delegations": proof.delegations.decode(),
        "stored": b64encode(proof.entry).decode(),
        "entry": project(proof.entry),
    }


def project(entry: bytes) -> Json:
    """Show an entry as JSON; of one that nobody can read, which may be proven all the same, say why."""
    try:
        return entry_to_json(parse_entry(entry))
    except (MalformedError, ValueError) as error:
        return {"kind": "malformed", "reason": str(error)}


def script_for(proof: Proof) -> str:
    """Write the script that checks this proof."""
    return _SCRIPT.format(origin=proof.log.origin, index=proof.index, vkey=LOG_VKEY, proof=PROOF, entry=ENTRY)
