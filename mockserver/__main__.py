"""``python -m mockserver`` is ``textgen-mock``."""

from mockserver.cli import main

if __name__ == "__main__":  # a worker that is spawned imports this file again
    main(prog_name="textgen-mock")
