"""What operators order and read: one function per use case, called by the command line, the API and the console alike.

In: an installation and what somebody asked for. Out: what was done, as plain values that a page can show. Keeps: nothing;
each use case writes through the rooms, and into the audit.
"""
