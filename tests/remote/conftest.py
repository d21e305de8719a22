"""Keys, a real server, a vendor's folder, and what is logged."""
