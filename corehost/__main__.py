"""Let `python -m corehost` be the command `corehost`."""

from corehost.cli import main

if __name__ == "__main__":
    main()
