"""What `cellgrad.audit` is made of: cells, tables, formulas read, columns judged, mistakes named."""
