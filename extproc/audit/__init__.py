"""The auditor's side: judge logs from their files alone, and show what they hold.

Owns reading, never writing, and trusts nothing that it reads: each hash is computed again, each finding is worked out
again from the recorded facts. Evidence may lie in a folder, a zip file or an object store (:mod:`extproc.archive`), and
the work may be done on many cores or machines (:mod:`extproc.engine`). Read :func:`extproc.audit.verify.verify` first:
it is the main path, and :mod:`extproc.audit.checks` has a module for each thing that is checked.
"""
