"""The model in use, and batching across requests: who is served when, and on which thread."""
