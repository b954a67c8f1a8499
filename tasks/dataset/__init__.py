"""What lies under the data root: paths, the catalogue of plates, tables, groups of plates."""
