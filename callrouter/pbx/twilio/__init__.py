"""The driver `twilio`: callers wait in Enqueue and talk in a Conference.

Each leg of an offer is one REST call.
"""
