"""The command `tm`. What takes long to import is imported by the verb that needs it."""
