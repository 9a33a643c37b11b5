"""``python -m liandong``: the same as the script ``liandong``."""

from liandong.cli import main

raise SystemExit(main())
