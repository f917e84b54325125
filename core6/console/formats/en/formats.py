"""By the clock of 24 hours, with seconds, as the logs have them."""

DATETIME_FORMAT = "Y-m-d H:i:s"
DATE_FORMAT = "Y-m-d"
