"""The language of mapping files: documents, paths, expressions, dialects, and the rows and rules they say."""
