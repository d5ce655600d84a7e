"""Guesses results and errors from the plain output of test runners, linters, builds, git and shells."""
