"""The guard: what stops mail that programs send each other for ever.

======================  ================================================================================
``rounds``              how many rounds in a row were automatic, by their speed (a pure function)
``loops``               holding a send back that would be one more, with an event and a label
``auto_submitted``      the header that says that a program wrote a message (RFC 3834)
======================  ================================================================================
"""
