"""The operations, dialect-free: what an agent can do with mail, in the field's words.

Every function takes the :class:`gateway.core.context.Core` it works with, then the caller's
:class:`gateway.store.scope.Scope`; it answers plain values and raises :mod:`gateway.core.errors`.
Translation to a dialect's shapes and status codes is the API's business.
"""
