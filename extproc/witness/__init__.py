"""Witnesses: a second pair of eyes on every log, so that a rewritten past cannot pass for the only one.

Owns both sides of C2SP tlog-witness. A witness keeps the latest checkpoint of each log that it knows, cosigns the next
one only when that continues it, and can keep a root log of all it has seen. The other side asks witnesses until a
policy's quorum is reached, and finds out when a witness has seen more than the disk holds.

Read :class:`extproc.witness.witness.Witness` for what a witness promises, :class:`extproc.witness.cosigner.Cosigner`
for what runs beside a log. README.md in this folder is for whoever runs a witness.

SPEC: https://c2sp.org/tlog-witness, https://c2sp.org/tlog-cosignature
"""
