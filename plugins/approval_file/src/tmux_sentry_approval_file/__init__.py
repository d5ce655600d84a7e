"""Approvals by file: a person writes one word into a file, and that is the answer."""
