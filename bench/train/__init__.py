"""Losses, schedules and augmentation that methods may use."""
