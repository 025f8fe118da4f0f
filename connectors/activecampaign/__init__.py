"""ActiveCampaign as a destination: contacts, tags, lists, tracked events, codes by automation, erasure."""
