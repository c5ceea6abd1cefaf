"""What the gateway knows, as typed values: one frozen struct for each table that others than the database see.

A record's fields are columns of its table, by name; what JSON a column holds is decoded by a property of the record.
``store.queries`` makes records of rows, and everything above works with records.
"""
