"""What touches processes, files and foreign servers: domain values in, facts out.

Imports only ``poolkeeper.domain``; decides nothing that could be decided there.
"""
