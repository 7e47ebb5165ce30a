"""The driver `twilio`: Enqueue to wait, Conference to talk, one REST call for each leg of an offer."""
