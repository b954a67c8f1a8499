"""Whiten wells by the formula of CPJUMP1 as it is written, the whole matrix at once: python ... <written> <plates...>.

Beyond the rank of the matrix there is no elbow, only rounding: the last of what the wells span stands for it.
"""

import sys
import warnings

import numpy as np
import pandas as pd
from kneed import KneeLocator


def main() -> None:
    written, *plates = sys.argv[1:]
    table = pd.concat([pd.read_csv(path) for path in plates], ignore_index=True)
    X = table[[name for name in table if not name.startswith("Metadata_")]].to_numpy()
    X = X[:, np.isfinite(X).all(axis=0)]
    C = X[(table["Metadata_control_type"] == "negcon").to_numpy()]
    covariance = np.cov(C, rowvar=False, ddof=1)
    V = np.diag(covariance)
    with np.errstate(invalid="ignore", divide="ignore"):
        R = np.nan_to_num(covariance / np.sqrt(np.outer(V, V)), posinf=0, neginf=0)
    G, T, _ = np.linalg.svd(R)
    elbow = KneeLocator(range(len(T)), T, S=1.0, curve="convex", direction="decreasing").elbow
    elbow = min(elbow, np.linalg.matrix_rank(R, hermitian=True) - 1)
    W = G @ np.diag(1 / np.sqrt(np.maximum(T, T[elbow] / 10))) @ G.T @ np.diag(1 / np.sqrt(np.maximum(V, 1e-3)))
    np.savetxt(written, (X - C.mean(axis=0)) @ W.T, delimiter=",")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
