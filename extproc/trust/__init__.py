"""Whose signatures count: delegations from an organisation's key to the keys of its logs, and policies over witnesses.

Owns the two texts in which trust is written. Deciding over a log by them is for :mod:`extproc.audit`.

SPEC: https://c2sp.org/tlog-policy
"""
