"""How the console writes times."""
