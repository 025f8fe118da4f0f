"""Standing instructions: which people get what, from which campaign, through which connections, and when.

In: distributions from operators, instants from the scheduler, people from profiles, codes from campaigns.
Out: publications and the deliveries they become. Keeps: `distribution`, `distribution_target`, `occasion`, `publication`,
and `sync`: connections kept in step without a schedule.
"""
