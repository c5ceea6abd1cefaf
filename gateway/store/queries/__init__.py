"""All statements about the records of the gateway, a module for each noun. Nothing outside ``store`` runs SQL.

A function takes the transaction and the :class:`~gateway.store.scope.Scope` whose rows it may see. One that looks
beyond an organization, for the engines and the operator, is called ``unscoped_…``. ``store.sql`` has the statements'
tools; what may not be found is None, and it is ``core`` that refuses.
"""
