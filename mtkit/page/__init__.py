"""What every HTML page and terminal report is made of: charts, tables, templates."""
