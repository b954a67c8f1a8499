"""The stage tables (stages.toml, image.toml) and the recipes of images, read and checked."""
