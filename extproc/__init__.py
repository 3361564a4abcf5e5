"""Situs."""
