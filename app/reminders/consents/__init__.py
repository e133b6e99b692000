"""Consent: this account may remind this address, because whoever reads mail there has agreed to it."""
