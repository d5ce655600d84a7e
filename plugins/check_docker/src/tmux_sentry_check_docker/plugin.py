"""Registers the checks."""
