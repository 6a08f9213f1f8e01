"""``python -m twin.cli``: what ``racklet`` does."""

from twin.cli.commands import main

main()
