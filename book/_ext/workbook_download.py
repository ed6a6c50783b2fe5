"""Write the live spreadsheet into the site, so that the chapter on it can offer it for download."""

from pathlib import Path

from cellgrad.spreadsheet.workbook import write_workbook

FILE = "backpropagation.xlsx"


def write(app):
    if app.builder.format == "html":
        target = Path(app.outdir) / "_static" / FILE
        target.parent.mkdir(parents=True, exist_ok=True)
        write_workbook(target, updates=200)


def setup(app):
    app.connect("builder-inited", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
