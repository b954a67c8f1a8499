"""Make the demo batch: seeded Cell Painting-like plates with a planted signal, laid out as in the Gallery.

plan.py      what is planted: wells, compounds, phenotypes (data)
cells.py     where the cells of a site lie and what each looks like
geometry.py  cells and nuclei as maps over the site
fields.py    random textures and spots
stains.py    the five channels painted over the maps
camera.py    illumination, blur, noise, digitisation
tables.py    platemap, metadata, truth
publish.py   what is on the disk already, and atomic writes
batch.py     all of it, on all cores
"""
