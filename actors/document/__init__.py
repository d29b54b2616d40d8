"""The five stages that take in a document, and the pass that takes a small one through all of them."""
