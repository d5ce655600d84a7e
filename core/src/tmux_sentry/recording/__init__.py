"""Recordings of panes: written while watching, read back, shown on a terminal, and played to the engine."""
