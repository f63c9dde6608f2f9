"""The web application: routes, pages, security and settings."""
