"""Bloomreach Engagement as a destination: commands in batches of 50, transactional e-mail, anonymisation."""
