"""Django's PostgreSQL, whose look at a connection before each request costs no question to the server."""

import select

from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    """Takes a connection for usable as long as its socket is silent: nobody closes one without a word."""

    def is_usable(self) -> bool:
        """Tell whether the connection can be used; one that has something to say is asked."""
        if self.connection is None or self.connection.closed:
            return False
        poll = select.poll()
        poll.register(self.connection.fileno(), select.POLLIN | select.POLLHUP | select.POLLERR)
        return not poll.poll(0) or super().is_usable()
