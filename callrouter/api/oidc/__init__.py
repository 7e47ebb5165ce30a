"""Logging in at the page through a provider of OpenID Connect (`http.oidc`)."""
