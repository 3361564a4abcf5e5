"""What is heard of the regions: probes of their cells and of what they depend on, load reports, and Envoy's attempts.

All of it comes together on the :class:`~extproc.signals.board.Board`, the one writer of what decisions see of a region.
A probe carries no user data and no header of a request, so probing an excluded region moves nothing across a border.
"""
