"""Notifications: events told to a webhook or to a service that people read anyway."""
