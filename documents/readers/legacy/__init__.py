"""Documents of the time before 2007, which LibreOffice makes into those of today, where the system has it."""
