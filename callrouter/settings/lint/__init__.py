"""Warnings: settings that are legal but unwise."""
