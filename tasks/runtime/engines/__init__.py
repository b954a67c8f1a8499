"""How one job is run on this machine: by Docker, by Apptainer, or as a plain process."""
