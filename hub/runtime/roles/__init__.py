"""The four roles as processes (`web`, `apply`, `deliver`, `schedule`), how one is started, and their supervisor."""
