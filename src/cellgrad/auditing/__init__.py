"""What `cellgrad.audit` is made of: cells, tables, formulas read, mistakes named, numbers computed again."""
