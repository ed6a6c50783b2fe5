"""From Cells to ConvNets: the code that the book's chapters share. Importing this module alone is cheap."""

__version__ = "0.2.0"
