"""Scenes made by code: rooms and gardens, and the renderer that tells the whole truth about them."""

from __future__ import annotations

from datamodules.scenes.renderer import SCENE_KEYS, SceneRenderer, render_scene

__all__ = ["SCENE_KEYS", "SceneRenderer", "render_scene"]
