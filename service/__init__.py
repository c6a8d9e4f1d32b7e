"""Colocalize as a service and a command: HTTP over FastAPI, the folder scorer and the command line."""
