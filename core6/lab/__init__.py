"""The lab of `serve --lab`: faults, a journal, a clock, strictness, reset and settle, for tests of clients.

A process of its own listens at the address of the server and passes requests on to the web server: without `--lab`
nothing of this is loaded, and no request pays for it.
"""
