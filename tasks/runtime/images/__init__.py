"""Container images: built, pushed, pulled, converted to SIF files, or installed as environments."""
