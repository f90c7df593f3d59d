"""Makes true what is wanted: observe, plan, apply, write down.

Reads desired state, writes status; nothing else writes it.
"""
