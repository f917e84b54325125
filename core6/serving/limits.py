"""What one web server process allows its clients, and keeps for them."""

from typing import Final

#: A client that sends nothing, or takes nothing, for so many seconds is cut, and one slower than this after as many
#: (D79). A request that waits as long for a thread is given up.
PATIENCE_SECONDS: Final = 10.0
LEAST_BYTES_A_SECOND: Final = 32 * 1024
#: Requests that wait for a thread; one more is 503.
MOST_WAITING: Final = 128
#: Bytes of bodies that are held for requests which are not answered yet.
MOST_HELD: Final = 128 * 1024 * 1024
#: So much of a body that nobody reads is taken off the line, so that the client is able to read the answer.
MOST_DRAINED: Final = 64 * 1024 * 1024
#: Connections, and those that wait to be accepted. An idle one costs 10 KB.
MOST_CONNECTIONS: Final = 16_384
BACKLOG: Final = 2048
