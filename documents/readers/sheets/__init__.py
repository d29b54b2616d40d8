"""Tables of values, in files of text and in workbooks, and how a sheet of any of them is written."""
