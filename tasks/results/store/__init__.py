"""The data root as a folder, or as a prefix of an S3 bucket."""
