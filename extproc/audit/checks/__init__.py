"""What a verification is made of: one file for each thing that is checked.

A log is cut into parts of 65,536 entries, each of them one tile of level 1, and its write-ahead log into its segments.
Each is checked by a job (:mod:`.parts`, :mod:`.frames`) that knows nothing of the others, so that many run at once;
what a job cannot know is combined in order (:mod:`.edges`), or held against each other at the end (:mod:`.joins`,
:mod:`.rotations`, :mod:`.prunes`, :mod:`.witnesses`, :mod:`.heads`, :mod:`.linkage`).
"""
