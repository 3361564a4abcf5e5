"""The command line: each module registers its commands, turns arguments into calls, and holds no logic."""
