"""A tmux, a network, people and processes that are not real, around the real engine, journal and guard."""
