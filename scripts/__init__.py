"""Shells that are not stages: compose params.yaml, talk to a compiled model, serve it."""
