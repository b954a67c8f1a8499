"""A Job in, a finished folder out; knows neither Luigi nor pandas."""
