"""The thinking of profiles, pure: stamps and merging, clusters of links, views."""
