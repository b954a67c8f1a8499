"""What the images that compute deep features share: fields, networks, checkpoints, and the frame of their program.

NumPy, tifffile and h5py only: no library that computes networks.
"""
