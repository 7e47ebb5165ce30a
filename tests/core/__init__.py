"""Tests of the core: stories, cases, tables and random histories on a virtual clock."""
