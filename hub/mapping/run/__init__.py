"""Running a mapping by the interpreter: the meaning that generated code must keep."""
