"""The kill switch of a running sidecar: legal orders and questions through a Unix socket.

Owns the socket, who may use it, and what is said there. An order goes into the override file, exactly as `situs
suspend` writes it without a sidecar; what comes of it there is the business of whoever watches that file. Decides
nothing and records nothing.

* :mod:`extproc.control.orders` - what an order must have, and how it is carried out on an override file
* :mod:`extproc.control.running` - what the socket needs to know of the process that it stands for
* :mod:`extproc.control.status` - what that process says of itself
* :mod:`extproc.control.peers` - who is at the other end
* :mod:`extproc.control.http` - one bounded request of HTTP/1.1
* :mod:`extproc.control.desk` - what is answered
* :mod:`extproc.control.server` - the socket
* :mod:`extproc.control.client` - the other end, for the commands
"""
