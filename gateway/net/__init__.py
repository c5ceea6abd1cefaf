"""Reaching out: HTTP to URLs that users gave us, and DNS.

``address_rules`` says which IP addresses may be reached, ``url_rules`` which URLs are usable, ``policy`` gathers
both from the settings. ``client`` posts and fetches; ``connecting`` is where a name's answers, and again the very
address of each socket, are judged, so that neither a rebinding name nor a strange spelling gets past the text.
``resolver`` is DNS whose failures are values; a name that cannot be resolved is never connected to. ``naming``
tames the file name and type of what was fetched. Nothing here knows about webhooks, events or the store.
"""
