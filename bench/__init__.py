"""The figures of docs/performance.md: each is taken by one module here.

Such a module has a docstring that says what is measured and how (it is printed in the docs as
it stands), ``TITLE``, ``LIMIT`` in seconds, and ``run(quick)``, which returns the rows of its
table. ``bench.figures`` lists them. Nothing here is a test: a missed goal is written down.
"""
