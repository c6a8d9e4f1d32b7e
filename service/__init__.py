"""Colocalize over HTTP, on three floors that each import only what lies below.

`process` (server, workers, signals, logs), `http` (routes, upload, problems, schemas, middleware, page) and `inference`
(model, scheduling).
"""
