"""The HTTP server: its sockets, limits on connections, and the web application."""
