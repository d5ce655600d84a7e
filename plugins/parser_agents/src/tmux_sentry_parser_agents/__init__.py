"""Reads what AI coding agents show on their own screens: what they do, what they ask, what stops them.

`parser.AgentsParser` is the parser. Nothing is imported here: every command loads the plugin, and few need its rules.
"""
