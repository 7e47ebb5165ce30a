"""A lab day: real calls and a scripted Twilio, whose figures are computed again from the phones' side."""
