"""Batching across requests: who is served when, and on which thread."""
