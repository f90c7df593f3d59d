"""The control panel: the same usecases as the API's, as pages for people."""
