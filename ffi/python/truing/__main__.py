"""`python -m truing --libdir | --includedir | --cmakedir`: where the files for C and C++ lie inside the package."""

import pathlib
import sys

PLACES = {"--libdir": "lib", "--includedir": "include", "--cmakedir": "lib/cmake/truing"}

if len(sys.argv) != 2 or sys.argv[1] not in PLACES:
    sys.exit(f"usage: python -m truing {' | '.join(PLACES)}")
print(pathlib.Path(__file__).parent / PLACES[sys.argv[1]])
