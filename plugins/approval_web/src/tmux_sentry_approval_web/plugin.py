"""Registers the approval backend `web`."""
