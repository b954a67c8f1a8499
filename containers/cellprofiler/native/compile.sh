#!/bin/sh
# Compile the kernels into an environment: compile.sh <the environment's folder>
# No -ffast-math and no contraction: the sums must round as CellProfiler's own do. No -march: one file for every CPU.
set -eu
here=$(dirname "$0")
mkdir -p "$1/lib"
gcc -std=c11 -O3 -ffp-contract=off -Wall -Wextra -Werror -shared -fPIC "$here"/*.c -lm -o "$1/lib/libmeasure_kernels.so"
