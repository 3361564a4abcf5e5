"""Cell."""
