"""The auditor's side: judge logs from their files alone, and show what they hold.

Owns reading, never writing, and trusts nothing that it reads: each hash is computed again, each finding is worked out
again from the recorded facts. Read :func:`extproc.audit.verify.verify` first.
"""
