"""Documents of word processors, presentations and workbooks: a zip of XML each."""
