"""Read one variable of a MATLAB 5 file: a process of its own, given the file as standard input and the name.

SciPy's reader ends with a segmentation fault on some damaged files, which must not be the end of who asked. Nothing of
maskkit is imported. Standard output gets the array as .npy, standard error one line where there is none.
"""

import sys


def main() -> int:
    """Status 0 with numbers, 1 with a reason."""
    import numpy as np
    from scipy.io import loadmat

    name = sys.argv[1]
    try:
        value = loadmat(sys.stdin.buffer, variable_names=[name]).get(name)
    except Exception as error:  # scipy's parser raises whatever its input leads it into
        print(f"not a MATLAB 5 file that can be read ({error})".splitlines()[0], file=sys.stderr)
        return 1
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiu":
        print(f"there are no numbers under the name {name}", file=sys.stderr)
        return 1
    np.save(sys.stdout.buffer, value, allow_pickle=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
