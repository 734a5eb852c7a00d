"""Turnabout: conversation logs in; a user language model, a feedback-trained assistant and the evidence out."""
