"""Queries to Asterisk about single channels and phones, where events and lists say too little."""
