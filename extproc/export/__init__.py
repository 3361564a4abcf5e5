"""Evidence that leaves the house: one file that verifies with no access to anything else, and other forms of records.

Owns the zip file, its summary as a signed statement, and the projections into CSV and OTLP. Whoever receives it reads
it with :mod:`extproc.audit`, or without any program of ours as its README says.
"""
