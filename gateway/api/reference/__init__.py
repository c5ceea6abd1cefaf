"""Descriptions and examples for the OpenAPI document, and the files of the page at ``/docs``."""
