#!/bin/sh
# cover_seeds.sh - inputs that a coverage-guided run starts from:  cover_seeds.sh FUZZER DIRECTORY
# The project's own programs, kernels and files, and what tests/cover/FUZZER keeps.
set -eu
seeds=$2
case $1 in
text | mutants | tool) cp tests/ir/*.bz tests/ir/regress/*.bz "$seeds" ;;
loops) cp tests/kernels/*.loop "$seeds" ;;
objload) cp "${BRAZE_BUILD:-build/cover}"/tests/objects/*.o "$seeds" ;;
npy) printf '\223NUMPY\1\0F\0{"descr": "<f4", "fortran_order": False, "shape": (2, 1), }          \n\0\0\0\0\0\0\0\0' >"$seeds/f4.npy" ;;
npz) "${PYTHON:-/usr/bin/python3}" -c 'import sys, numpy as np
for save in (np.savez, np.savez_compressed):
    save(sys.argv[1] + save.__name__, x=np.arange(5.0), y=np.ones((2, 3), ">i2"))' "$seeds/" ;;
*) for n in 1 7 19 37; do head -c $((8 * n)) tests/ir/mlp.bz >"$seeds/start$n"; done ;;
esac
[ ! -d "tests/cover/$1" ] || cp "tests/cover/$1"/* "$seeds"
