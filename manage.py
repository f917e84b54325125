#!/usr/bin/env python
"""The command line of the project: `python manage.py help` lists the commands."""

from core6.cli import main

if __name__ == "__main__":
    main()
