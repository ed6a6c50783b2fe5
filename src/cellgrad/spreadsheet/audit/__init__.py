"""Somebody's spreadsheet of the toy network, held against the derivation, formula by formula."""

from cellgrad.spreadsheet.audit.cells import AuditError
from cellgrad.spreadsheet.audit.findings import Finding, Report, Table
from cellgrad.spreadsheet.audit.report import audit

__all__ = ["AuditError", "Finding", "Report", "Table", "audit"]
