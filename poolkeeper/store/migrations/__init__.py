"""Revisions of the schema, oldest first, applied when a store is opened.

To add one: change ``poolkeeper/store/schema.py``, then run

    python -m poolkeeper.store.migrations 'say what changes'

read the file that it writes to ``versions/``, and set ``HEAD`` in
``poolkeeper/store/revisions.py`` to its number. The tests tell if the tables differ.
"""
