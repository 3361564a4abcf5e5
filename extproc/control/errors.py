"""What goes wrong with an order or with the socket, told with the mend."""


class ControlError(Exception):
    """The socket cannot be used, or does not answer as it should."""


class OrderError(Exception):
    """An order that cannot be carried out as it is, and that changed nothing."""
