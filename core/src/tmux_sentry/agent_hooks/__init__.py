"""The agents' own lifecycle hooks: put into their configuration, taken out again, and what one says when it runs."""
