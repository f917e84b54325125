"""The limits of one web server process."""

from typing import Final

#: A client that neither sends nor reads for so many seconds is disconnected, and so is one that is slower than
#: LEAST_BYTES_A_SECOND after that time (D79). A request waits as long for a thread.
PATIENCE_SECONDS: Final = 10.0
LEAST_BYTES_A_SECOND: Final = 32 * 1024
#: The most requests that wait for a thread; further ones are 503.
MOST_WAITING: Final = 128
#: In bytes: a body of ingestion; others have DATA_UPLOAD_MAX_MEMORY_SIZE.
LARGEST_OF_EVENTS: Final = 20 * 1024 * 1024
#: The most bytes of bodies of requests in progress.
MOST_HELD: Final = 128 * 1024 * 1024
#: The most bytes of an unused body that are received, so that the client is able to read the response.
MOST_DRAINED: Final = 64 * 1024 * 1024
#: The most connections, and those that wait to be accepted. An idle one costs 10 KB.
MOST_CONNECTIONS: Final = 16_384
BACKLOG: Final = 2048
