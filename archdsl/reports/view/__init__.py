"""Pictures of networks: what is drawn (`boxes.py`), where (`slots.py`, `geometry.py`), and how."""
