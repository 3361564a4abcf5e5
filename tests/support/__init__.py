"""What several test packages share: strategies for hypothesis, builders, and the processes of a small world."""
