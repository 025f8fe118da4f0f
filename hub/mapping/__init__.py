"""The mapping language: vendor names into canonical records and canonical records into vendor names.

In: mapping files, messages, canonical records. Out: changes (`Change`) and vendor fields (`Mapped`), with warnings.
Keeps: `mapping_version`, the content of every version by its hash.
"""
