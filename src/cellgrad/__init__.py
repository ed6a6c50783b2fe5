"""From Cells to ConvNets: the code that the book's chapters share. Importing this module alone is cheap."""

from cellgrad import _moved

__version__ = "0.2.0"

_moved.install()
