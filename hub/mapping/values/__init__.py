"""Single values: text, times, numbers and the other coercions of `as` and `format`."""
