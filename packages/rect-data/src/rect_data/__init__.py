"""Chest CT data for training and tests."""
