"""Build the renderer of the digests from the settings."""

from __future__ import annotations

from relay.compose.render import Renderer
from relay.config import Settings


def make_renderer(settings: Settings) -> Renderer:
    """Compile the mail templates; the user's own come first. Raises TemplateError with file and line."""
    return Renderer(settings.templates, zone=settings.time.tz, limits=settings.digest, sender=settings.sender_address)
