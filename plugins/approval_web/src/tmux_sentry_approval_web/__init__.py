"""Approvals on a page for the phone, reached by a link."""
