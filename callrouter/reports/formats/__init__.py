"""The formats of a report: JSON, CSV, a workbook, a plot. The table for a terminal is the command's."""
