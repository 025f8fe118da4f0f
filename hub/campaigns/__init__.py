"""Incentive codes: made from a pattern or imported, each given to at most one person.

In: campaigns and code lists from operators, publication ids that want a code. Out: codes.
Keeps: `campaign`, `code`.
"""
