"""Figures, tables and pictures. Drawing libraries are imported where they draw, not here."""

from segtrack.report.tables import aggregate, table_csv, table_html, table_text

__all__ = ["aggregate", "table_csv", "table_html", "table_text"]
