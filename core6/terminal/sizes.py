"""Numbers of bytes as text."""


def size(count: float) -> str:
    """Return a measured number of bytes as readable text, such as `1.5 MB`, in units of 1000."""
    amount, unit = count, "bytes"
    for larger in ("kB", "MB", "GB"):
        if amount < 1000:
            break
        amount, unit = amount / 1000, larger
    return f"{amount:.0f} {unit}" if unit == "bytes" or amount >= 100 else f"{amount:.1f} {unit}"


def limit(count: int) -> str:
    """Return a limit of bytes as text, such as `10 MB`; limits are whole numbers of units of 1024."""
    return f"{count // 1024**2} MB" if count >= 1024**2 else f"{count // 1024} KB"
