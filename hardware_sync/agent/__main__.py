"""Start one agent without the rest of the command line: ``python -m hardware_sync.agent CONFIG``.

Agents start by the dozen; this way they load neither the command line nor the model.
"""

from __future__ import annotations

import logging
import sys

from hardware_sync.agent.agent import run_agent
from twin.errors import InputError, TwinError
from twin.runtime.supervisor import die_with_parent


def main(arguments: list[str]) -> int:
    """Run the agent and return the exit code."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    log = logging.getLogger(__name__)
    die_with_parent()
    try:
        if len(arguments) != 1:
            raise InputError("agent: give the configuration file and nothing else.")
        run_agent(arguments[0])
    except TwinError as error:
        log.error("%s", error)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
