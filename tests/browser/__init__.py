"""Notebooks in a real JupyterLab, driven through headless Chromium."""
