"""The front door: one function, one decision, one event. API, panel and tuner call these."""
