"""The graph: a class a stage with its edges and parameters, and the runs that a person asks for."""
