"""The stages of a document, named once: each is an actor in `actors/document/`, a queue and a label of that name."""

#: In their order, each with its share of the progress bar in percent.
WEIGHTS = {"preprocessing": 30, "chunking": 10, "embedding": 40, "storing": 15, "indexing": 5}
STAGES = tuple(WEIGHTS)
