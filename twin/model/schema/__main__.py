"""Write the JSON schema of a layout to the file named on the command line."""

import sys
from pathlib import Path

from twin.model.schema import json_schema

if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json_schema(), encoding="utf-8")
