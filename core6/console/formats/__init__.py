"""The formats of times in the console."""
