"""What the tests share: the pytest plugin, tiny models, a hub and a JupyterLab on this machine."""
