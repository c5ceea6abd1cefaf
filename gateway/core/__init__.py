"""The operations, dialect-free: what an agent can do with mail, in the field's words.

Every function takes the caller's :class:`gateway.store.scope.Scope` first and the :class:`gateway.core.context.Core`
it works with; it answers plain values and raises :mod:`gateway.core.errors`. Translation to a dialect's
shapes and status codes is the API's business.
"""
