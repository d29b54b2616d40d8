"""Searching a KB over HTTP."""
