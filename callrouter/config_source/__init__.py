"""Where a configuration comes from: the files of a folder, or the database of the pool."""
