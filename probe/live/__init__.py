"""Diagnosis in a live job: what is asked, expected and found missing."""
