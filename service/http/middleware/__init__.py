"""Small ASGI middleware, one class a module."""
